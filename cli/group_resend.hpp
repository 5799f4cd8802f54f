// holdfast group resend GROUP: what the group gave up is sent again, as new messages.
#pragma once

#include "client/client_options.hpp"

#include <string>

namespace holdfast::cli {

// Every dead letter of the group that was not sent again before, each to the topic it came from, or to `to`
// when that is not empty. Returns the exit code.
int resend_dead_letters(const client::client_options& options, const std::string& group,
                        const std::string& to);

} // namespace holdfast::cli
