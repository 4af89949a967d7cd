"""Ports on which a container takes connections, by its kernel's table."""

import sys

import pytest

from onegig.machine.forward import Listener, parse_listeners

# of a valkey behind `bind * -::*` in a user-defined network, and one bound to single addresses
TABLE = """
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0B00007F:9C4D 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0
   1: 00000000:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 2 1 0
   2: 020012AC:18EB 030012AC:D431 01 00000000:00000000 00:00000000 00000000   999        0 3 1 0
   3: 020012AC:18EC 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 4 1 0
  sl  local_address                         remote_address                        st tx_queue
   0: 00000000000000000000000000000000:18EB 00000000000000000000000000000000:0000 0A 00000000
   1: 00000000000000000000000001000000:18ED 00000000000000000000000000000000:0000 0A 00000000
   2: B80D01200000000000000000EFBEADDE:18EE 00000000000000000000000000000000:0000 0A 00000000
"""


@pytest.mark.skipif(sys.byteorder == "big", reason="the table is of a little-endian machine")
def test_each_port_is_listed_once_with_an_address_that_leads_to_it() -> None:
    assert parse_listeners(TABLE) == (
        Listener(address="127.0.0.1", port=6379),
        Listener(address="172.18.0.2", port=6380),
        Listener(address="::1", port=6381),
        Listener(address="2001:db8::dead:beef", port=6382),
    )
    assert parse_listeners("") == ()
