// holdfast cluster status
#include "cli/cluster_table.hpp"
#include "cli/command_line.hpp"
#include "client/admin.hpp"
#include "client/endpoint.hpp"

#include <future>

namespace holdfast::cli {

namespace {

namespace po = boost::program_options;

constexpr std::string_view usage =
    "usage: holdfast cluster status [--namesrv host:port;host:port;...]\n\n"
    "status  asks each of the name servers about its node and prints a line per node: its role and term, "
    "its\n"
    "        log positions, and how many bytes it is behind the leader. Exit status: 0 when there is a "
    "leader,\n"
    "        every node that was asked answers and every replica is within 1 MiB of the leader; else 1.\n";

node_answer ask(const std::string& address) {
    client::admin admin{client::client_options{.name_servers = address}};
    if (const auto started = admin.start(); !started)
        return {address, started.failure()};
    return {address, admin.cluster_status()};
}

// At the same time: a node that hangs must not hold up the others' lines.
std::vector<node_answer> ask_all(const std::vector<client::endpoint>& servers) {
    std::vector<std::future<node_answer>> asked;
    for (const auto& each : servers)
        asked.push_back(std::async(std::launch::async, ask, each.text()));
    std::vector<node_answer> answers;
    for (auto& each : asked)
        answers.push_back(each.get());
    return answers;
}

int status(const std::string& name_servers) {
    constexpr std::size_t most_servers = 64; // each is asked by a thread of its own
    const auto servers = client::endpoint::parse_list(name_servers);
    if (!servers)
        return failed(servers.failure());
    if (servers->size() > most_servers)
        return misused("that are too many name servers to ask at once; give 64 at most");
    const auto answers = ask_all(*servers);
    const auto problems = cluster_problems(answers);
    fmt::print("{}", cluster_table(answers));
    std::fflush(stdout);
    for (const auto& each : problems)
        fmt::print(stderr, "holdfast: {}\n", each);
    return problems.empty() ? exit_done : exit_failed;
}

} // namespace

int run_cluster(std::span<const std::string> arguments) {
    po::options_description shown{"options"};
    auto add = shown.add_options();
    add("namesrv,n", po::value<std::string>()->default_value("127.0.0.1:9876"),
        "name servers of all nodes, host:port;...");
    add("help,h", "this text");
    po::options_description hidden;
    hidden.add_options()("what", po::value<std::string>());
    po::positional_options_description places;
    places.add("what", 1);
    po::variables_map words;
    if (const auto done = understand(arguments, usage, shown, hidden, places, words))
        return *done;
    const auto what = words.count("what") != 0 ? words["what"].as<std::string>() : std::string{};
    if (what != "status")
        return misused(what.empty() ? "what about the cluster? `holdfast cluster status`"
                                    : "a cluster can't '" + what + "'; there is status");
    return status(words["namesrv"].as<std::string>());
}

} // namespace holdfast::cli
