"""From an observation to a state vector, and from a state vector to one score per item.

ItemTable         item id -> representation: id embedding + topic embedding + public features
SequenceEncoder   history and last slate -> state, by one of the sequence models of `ENCODERS`
ItemScorer        state -> score of any item: dot product with the same representations, so that what is
learned of one item carries over to its topic
DuelingScorer     the same with a level of the state that all items share
"""

from agents.encoders.items import DuelingScorer, ItemScorer, ItemTable, public_features
from agents.encoders.sequence import ENCODERS, SequenceEncoder, check_encoder, to_tensors

__all__ = [
    "ENCODERS",
    "DuelingScorer",
    "ItemScorer",
    "ItemTable",
    "SequenceEncoder",
    "check_encoder",
    "public_features",
    "to_tensors",
]
