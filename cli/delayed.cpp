// holdfast delayed cancel TOPIC HANDLE
#include "cli/command_line.hpp"
#include "client/producer.hpp"

namespace holdfast::cli {

namespace {

namespace po = boost::program_options;

constexpr std::string_view usage =
    "usage: holdfast delayed cancel TOPIC HANDLE [OPTIONS]\n\n"
    "cancel  takes back a delayed message that is not due yet. HANDLE is the recall handle that\n"
    "        `holdfast send --deliver-after` printed (a producer finds it in its receipt).\n";

} // namespace

int run_delayed(std::span<const std::string> arguments) {
    po::options_description shown{"options"};
    auto add = shown.add_options();
    add("namesrv,n", po::value<std::string>()->default_value("127.0.0.1:9876"),
        "name servers, host:port;...");
    add("group,g", po::value<std::string>()->default_value("HOLDFAST_SEND"), "producer group");
    add("help,h", "this text");
    po::options_description hidden;
    auto hide = hidden.add_options();
    for (const char* const place : {"what", "topic", "handle"})
        hide(place, po::value<std::string>());
    po::positional_options_description places;
    places.add("what", 1).add("topic", 1).add("handle", 1);
    po::variables_map words;
    if (const auto done = understand(arguments, usage, shown, hidden, places, words))
        return *done;
    const auto what = words.count("what") != 0 ? words["what"].as<std::string>() : std::string{};
    if (what != "cancel")
        return misused(what.empty() ? "what about delayed messages? `holdfast delayed cancel TOPIC HANDLE`"
                                    : "delayed messages can't '" + what + "'; there is cancel TOPIC HANDLE");
    if (words.count("handle") == 0)
        return misused("which message? `holdfast delayed cancel TOPIC HANDLE`");
    client::producer_options options;
    options.client.name_servers = words["namesrv"].as<std::string>();
    options.group = words["group"].as<std::string>();
    client::producer producer{options};
    if (const auto started = producer.start(); !started)
        return failed(started.failure());
    const auto cancelled =
        producer.recall(words["topic"].as<std::string>(), words["handle"].as<std::string>());
    if (!cancelled)
        return failed(cancelled.failure());
    fmt::print("{} is cancelled and will not be delivered\n", *cancelled);
    return exit_done;
}

} // namespace holdfast::cli
