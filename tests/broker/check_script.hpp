// Runs a check_schedule by a script: events in, effects out, as text.
//
// A script is blocks, separated by blank lines: one event, a line `----`, and what comes of it, line by line.
// Lines that begin with `#` are comments. The runner plays the rest of the broker: it keeps the undecided
// halves, knows which groups have a producer, and counts the checks as the log's state would.
//
//     rules timeout=MS interval=MS most=N          a new schedule
//     half NUMBER at=MS group=NAME [immunity=MS] [checks=N last=MS]    stored, and old enough to be told of
//     decided NUMBER
//     joins GROUP | leaves GROUP                   a producer of it is there from now on, or none
//     unreadable NUMBER                            its record can't be read from now on
//     tick now=MS [most=N]                         takes up to `most` (100) that are due, looks each one up
//
// A tick answers, for each that was taken: `ask GROUP about NUMBER, check N`, `give up NUMBER`,
// `nobody to ask about NUMBER`, `can't read NUMBER`, `NUMBER is decided`; and `more` when more is due.
#pragma once

#include <string>

namespace holdfast::broker::testing {

// The script as it really runs: equal to `script` when all expectations hold.
[[nodiscard]] std::string run_check_script(const std::string& script);

} // namespace holdfast::broker::testing
