"""Invertible layers. Every one meets the contract of `seqflow.bijections.base.Bijection`."""
