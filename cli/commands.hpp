// The subcommands. Each takes the words after its name and returns the exit code: 0 done, 1 it failed, 2 the
// words (or the config they name) make no sense. What goes wrong is said on stderr; `--help` prints the usage
// on stdout.
#pragma once

#include <span>
#include <string>

namespace holdfast::cli {

inline constexpr int exit_done = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_misused = 2;

int run_serve(std::span<const std::string> arguments);
int run_send(std::span<const std::string> arguments);
int run_consume(std::span<const std::string> arguments);
int run_topic(std::span<const std::string> arguments);
int run_group(std::span<const std::string> arguments);
int run_explain(std::span<const std::string> arguments);
int run_delayed(std::span<const std::string> arguments);
int run_cluster(std::span<const std::string> arguments);
int run_cert(std::span<const std::string> arguments);
int run_audit(std::span<const std::string> arguments);
// `holdfast help [COMMAND | config [--markdown]]`
int run_help(std::span<const std::string> arguments);

// One command as `holdfast help` lists it.
struct command {
    std::string_view name;
    std::string_view summary;
    int (*run)(std::span<const std::string>);
};

[[nodiscard]] std::span<const command> all_commands();
// nullptr when there is none of that name.
[[nodiscard]] const command* find_command(std::string_view name);

} // namespace holdfast::cli
