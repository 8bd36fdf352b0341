"""The MLC backend: a checkpoint compiled with TVM. Needs the extra 'mlc', which is imported when it is used."""
