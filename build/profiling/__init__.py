"""Where the time of a cold start and of a call goes: measured in a real worker, drawn as one page."""
