"""What scripts/dev.py is made of; standard library only, Python 3.8 or newer, any system."""
