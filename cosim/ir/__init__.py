"""Intermediate representation: layers, workloads and their structure-of-arrays form."""
