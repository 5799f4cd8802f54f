// Runs a replica by a script: events in, effects out, as text (in the spirit of etcd/raft's interaction
// tests).
//
// A script is blocks, separated by blank lines. A block is one event, a line `----`, and what the replica
// must do, line by line. Lines that begin with `#` are comments.
//
//     replica [segment=N] [max-entry=N] [next=N] [term=N] [time=N]    a new replica, its log ends at `next`
//     started | stopping | flush-failed
//     batches now=N TICKET=WHAT...     WHAT: 3x100 three messages of 100 bytes to topic 1, queue 0; 2x91@1/3
//                                      to queue 3; topic:NAME, delete:NAME, or as in
//                                      delivery_script.hpp
//     flushed until=N [durable=N]
//     idled now=N
//
// Whatever is flushed is checked here for what scripts do not show: checksums chain, records know their own
// position and store time.
#pragma once

#include <string>

namespace holdfast::broker::testing {

// The script as it really runs: equal to `script` when all expectations hold.
[[nodiscard]] std::string run_replica_script(const std::string& script);

} // namespace holdfast::broker::testing
