"""Pure numerics of tier 1: hyperdimensional computing, alpha gating, allostasis.

The modules are the vocabulary: `hypervector` (packed binary), `bipolar` and `holographic` hypervectors,
`basis`, `encoders`, `item_memory`, `learning`; `alpha`; `allostasis`, `modulation`, `prediction`; `archive`.
"""
