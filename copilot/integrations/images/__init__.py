"""Labelled images from the places where teams keep them, read one at a time."""
