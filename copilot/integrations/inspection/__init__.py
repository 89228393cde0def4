"""Looking at whole image sets: read in chunks, in parallel, and once for all that is measured."""
