"""Network definitions of our own, for networks that no library at hand defines; one small file a family.

Module names inside the networks follow the field's habit (``layer1.0.conv1``), because they become layer names.
"""
