"""Validation: two samplers, runs or event files compared in every observable, with one verdict."""
