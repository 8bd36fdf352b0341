"""What the compiled code computes, written in TVMScript: matrices, attention, and what lies between them.

TVM's own kernels for processors compute a number at a time. These compute sixteen: a matrix lies in memory in blocks of
sixteen rows (see :mod:`shopbot.backends.mlc.packing`), so a vector register holds one number of each, and nothing is
summed across a register. Imported by the process that compiles, never by the one that serves.
"""
