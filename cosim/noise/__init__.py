"""Values as a machine stores and computes them: formats, quantisers, encodings, bit errors, mitigation."""
