"""Suggestive annotation: ask the expert only for the images that teach the model most.

::

    volumes → image store / pool → latent space + model → evidence → suggestions → labels ─┐
                  ▲                                                                        │
                  └────────────── next round (a new immutable Pool) ◄──────────────────────┘
"""

__version__ = "0.1.0"
