"""The dev loop: notices what is saved, rebuilds what that touches, and has it run in place of what is deployed."""
