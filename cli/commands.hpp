// The subcommands. Each takes the words after its name and returns the exit code: 0 done, 1 it failed, 2 the
// words make no sense. What goes wrong is said on stderr; `--help` prints the usage on stdout.
#pragma once

#include <span>
#include <string>

namespace holdfast::cli {

int run_send(std::span<const std::string> arguments);
int run_consume(std::span<const std::string> arguments);
int run_topic(std::span<const std::string> arguments);

} // namespace holdfast::cli
