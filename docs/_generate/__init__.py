"""The parts of the documentation that follow from the code, so that the two never disagree.

A page holds its generated parts between two comments, ``<!-- generated: NAME -->`` and ``<!-- end of NAME -->``;
everything around them is written by hand. ``python -m docs._generate``, run at the root of a checkout, renews them;
``tests/unit/test_docs.py`` fails when that was forgotten.
"""
