// Runs a group of replicas by a script: what happens to which node, and what all of them do about it, as
// text.
//
// A script is blocks, separated by blank lines. A block is one event, a line `----`, and what the nodes do,
// line by line. Lines that begin with `#` are comments. Each node has a clock and a disk of its own, both in
// memory; nothing happens between two events.
//
//     group [window=N] NODE...    new nodes, all reached by all; N bytes may be under way to each
//     tick NODE [MS]              its clock moves on by MS
//     deliver [FROM>TO]           what is on its way now, or now between these two, arrives; `*` is anybody
//     drop [FROM>TO]              and this never will
//     flush NODE                  its flushes that are under way end
//     settle                      deliver and flush, again and again, until nothing is left to do; says only
//                                 who leads and what is committed
//     send NODE                   a client sends one message
//     ask NODE                    whether it leads
//     give NODE TO                it shall let another one lead
//     stop NODE                   its operator wants it to hand over and end
//     crash NODE | restart NODE   what was not flushed is gone
//     wipe NODE                   a crash, and all of its disk is gone: restart makes it another member
//     status                      where everybody stands
//
// What is sent stays on its way until it is delivered or dropped, also when its receiver is not there.
#pragma once

#include <string>

namespace holdfast::broker::testing {

// The script as it really runs: equal to `script` when all expectations hold.
[[nodiscard]] std::string run_group_script(const std::string& script);

} // namespace holdfast::broker::testing
