"""What single settings must be like: AWS's numbers, names, and the checks that types carry."""
