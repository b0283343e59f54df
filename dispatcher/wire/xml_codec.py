"""The XML codec: both directions under one name."""

from dispatcher.wire.xml_decoder import Decode, arguments_decoder, xml_decoder
from dispatcher.wire.xml_encoder import Encode, encode_xml, escape, result_encoder, root_encoder

__all__ = [
    "Decode",
    "Encode",
    "arguments_decoder",
    "encode_xml",
    "escape",
    "result_encoder",
    "root_encoder",
    "xml_decoder",
]
