"""One file a check, named as its code is. A check has SEVERITY and `look(world)`, and its docstring is its page in
docs/python/check.md: the first line says what is wrong, the rest why it matters.
"""
