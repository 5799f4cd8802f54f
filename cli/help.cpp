#include "cli/commands.hpp"

#include "config/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace holdfast::cli {

namespace {

constexpr std::array commands{
    command{"serve", "run a node: name service and broker", run_serve},
    command{"send", "send messages, from the command line or line by line from stdin", run_send},
    command{"consume", "print messages as they arrive", run_consume},
    command{"topic", "list, create and show topics", run_topic},
    command{"group", "list and show consumer groups, move their place in a topic", run_group},
    command{"explain", "where a message stands, by its id or key", run_explain},
    command{"delayed", "cancel a delayed message that is not due yet", run_delayed},
    command{"cluster", "how the nodes of a cluster are doing: roles, log positions, lag", run_cluster},
    command{"cert", "make certificates for TLS among the nodes of a cluster", run_cert},
    command{"audit", "verify a data directory: log, derived state, and that they agree", run_audit},
    command{"help", "explain a command, or every config key (help config)", run_help},
};

std::string overview() {
    std::string text =
        "Holdfast: a message broker for RocketMQ clients that keeps what it has answered OK.\n\n"
        "usage: holdfast COMMAND [ARGUMENTS]\n\n";
    for (const auto& each : commands)
        text += fmt::format("  {:<10}{}\n", each.name, each.summary);
    text += fmt::format("  {:<10}{}\n", "version", "print the version");
    text += "\n`holdfast COMMAND --help` explains one. Exit status: 0 done, 1 failed, 2 not understood.\n";
    return text;
}

int help_on_config(std::span<const std::string> arguments) {
    if (arguments.empty()) {
        fmt::print("{}", config::settings_help());
        return exit_done;
    }
    if (arguments.size() == 1 && arguments[0] == "--markdown") {
        fmt::print("{}", config::settings_markdown());
        return exit_done;
    }
    fmt::print(stderr, "holdfast help config: unexpected '{}'; the only option is --markdown\n",
               arguments.back());
    return exit_misused;
}

} // namespace

std::span<const command> all_commands() {
    return commands;
}

const command* find_command(std::string_view name) {
    const auto* const found = std::find_if(commands.begin(), commands.end(),
                                           [&](const command& each) { return each.name == name; });
    return found == commands.end() ? nullptr : found;
}

int run_help(std::span<const std::string> arguments) {
    if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "help") {
        fmt::print("{}", overview());
        return exit_done;
    }
    if (arguments[0] == "config")
        return help_on_config(arguments.subspan(1));
    const auto* const about = find_command(arguments[0]);
    if (about == nullptr) {
        fmt::print(stderr, "holdfast help: there is no command '{}'; `holdfast help` lists them\n",
                   arguments[0]);
        return exit_misused;
    }
    const std::array<std::string, 1> help_option{"--help"};
    return about->run(help_option);
}

} // namespace holdfast::cli
