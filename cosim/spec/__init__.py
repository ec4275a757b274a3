"""User input: YAML text to validated, frozen specs.

strict_yaml  text to plain data, with the line and column of every key and value
problems     what is wrong with an input, where, what would be allowed; all of it at once
units        "850 fJ", "1.2 GHz", "64 KiB" to the unit that a field's name ends in
constant     a number with its unit, source, kind, range and note
base         the pydantic base of every spec, the field types, parse()
overrides    --set path=value
schema       JSON Schema for editors
hashing      canonical JSON and content hash
"""
