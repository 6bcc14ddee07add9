"""Pure numerics of tier 1: hyperdimensional computing, alpha gating, allostasis.

The modules are the vocabulary. Hypervectors: `hypervector` (packed binary), `bipolar`, `holographic` and
`phasor`; `basis`, `encoders`, `item_memory`, `learning`, `classifier`, `archive`. Rhythm: `alpha`. Body:
`opponent`, `allostasis`, `appraisal`, `modulation`, `prediction`.
"""
