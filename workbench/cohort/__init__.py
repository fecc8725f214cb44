"""From files on a disk to a pool of slices: the first room of the pipeline.

``layouts`` finds the cases of a folder, ``volumes`` reads a file to RAS+,
``preprocess`` and ``store`` turn volumes into memory-mapped slices, ``pool``
names the rows, ``label_source`` is the only way to a label.
"""
