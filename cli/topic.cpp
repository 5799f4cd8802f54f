// holdfast topic list | create NAME | show NAME
#include "cli/command_line.hpp"
#include "client/admin.hpp"

#include <algorithm>

namespace holdfast::cli {

namespace {

namespace po = boost::program_options;

constexpr std::string_view usage = "usage: holdfast topic list | create NAME | show NAME [OPTIONS]\n\n"
                                   "list    prints the names of all topics (--all: the built-in ones too)\n"
                                   "create  creates a topic, or changes its number of queues and permission\n"
                                   "show    prints where a topic lives and how much is in its queues\n";

bool is_built_in(const std::string& topic) {
    static const std::vector<std::string> names{"TBW102",
                                                "SELF_TEST_TOPIC",
                                                "BenchmarkTest",
                                                "OFFSET_MOVED_EVENT",
                                                "DefaultCluster",
                                                "SCHEDULE_TOPIC_XXXX",
                                                "RMQ_SYS_TRACE_TOPIC",
                                                "TRANS_CHECK_MAX_TIME_TOPIC",
                                                "RMQ_SYS_TRANS_HALF_TOPIC",
                                                "RMQ_SYS_TRANS_OP_HALF_TOPIC"};
    return topic.starts_with('%') || topic.starts_with("rmq_sys_") ||
           std::find(names.begin(), names.end(), topic) != names.end();
}

int list(client::admin& admin, bool all) {
    const auto topics = admin.topics();
    if (!topics)
        return failed(topics.failure());
    for (const std::string& each : *topics)
        if (all || !is_built_in(each))
            fmt::print("{}\n", each);
    return exit_done;
}

std::string permission_text(std::int32_t bits) {
    std::string text;
    text += (bits & 4) != 0 ? "r" : "";
    text += (bits & 2) != 0 ? "w" : "";
    return text.empty() ? "none" : text;
}

int create(client::admin& admin, const std::string& name, const po::variables_map& words) {
    const auto& permission = words["perm"].as<std::string>();
    client::topic_settings settings;
    settings.read_queues = settings.write_queues = words["queues"].as<std::int32_t>();
    if (permission == "rw")
        settings.permission = 6;
    else if (permission == "r")
        settings.permission = 4;
    else if (permission == "w")
        settings.permission = 2;
    else
        return misused("--perm " + permission + ": write rw, r or w");
    if (const auto done = admin.create_topic(name, settings); !done)
        return failed(done.failure());
    fmt::print("topic {} has {} queues ({})\n", name, settings.write_queues, permission);
    return exit_done;
}

int show(client::admin& admin, const std::string& name) {
    const auto parts = admin.route(name);
    if (!parts)
        return failed(parts.failure());
    for (const client::topic_part& each : *parts)
        fmt::print("{} on {} at {}: {} queues to read, {} to write, {}\n", name, each.broker_name,
                   each.broker_address, each.settings.read_queues, each.settings.write_queues,
                   permission_text(each.settings.permission));
    const auto queues = admin.status(name);
    if (!queues)
        return failed(queues.failure());
    std::int64_t sum = 0;
    for (const client::queue_status& each : *queues) {
        const std::int64_t messages = each.last - each.first;
        sum += messages;
        fmt::print("  {} queue {:<4} offsets {} .. {}  {} messages\n", each.queue.broker_name,
                   each.queue.queue.value(), each.first.value(), each.last.value(), messages);
    }
    fmt::print("  {} messages in all\n", sum);
    return exit_done;
}

} // namespace

int run_topic(std::span<const std::string> arguments) {
    po::options_description shown{"options"};
    auto add = shown.add_options();
    add("namesrv,n", po::value<std::string>()->default_value("127.0.0.1:9876"),
        "name servers, host:port;...");
    add("queues,q", po::value<std::int32_t>()->default_value(8), "create: queues on each broker");
    add("perm", po::value<std::string>()->default_value("rw"), "create: rw, r or w");
    add("all,a", "list: built-in topics too");
    add("help,h", "this text");
    po::options_description hidden;
    hidden.add_options()("what", po::value<std::string>())("name", po::value<std::string>());
    po::positional_options_description places;
    places.add("what", 1).add("name", 1);
    po::variables_map words;
    if (const auto done = understand(arguments, usage, shown, hidden, places, words))
        return *done;
    const std::string what = words.count("what") != 0 ? words["what"].as<std::string>() : std::string{};
    if (what != "list" && what != "create" && what != "show")
        return misused(what.empty()
                           ? "what about topics? `holdfast topic list`, `create NAME` or `show NAME`"
                           : "topics can't '" + what + "'; there are list, create NAME and show NAME");
    if ((what == "list") == (words.count("name") != 0))
        return misused(what == "list" ? "`holdfast topic list` takes no name"
                                      : "which one? `holdfast topic " + what + " NAME`");
    client::admin admin{client::client_options{.name_servers = words["namesrv"].as<std::string>()}};
    if (const auto started = admin.start(); !started)
        return failed(started.failure());
    if (what == "list")
        return list(admin, words.count("all") != 0);
    const auto& name = words["name"].as<std::string>();
    return what == "create" ? create(admin, name, words) : show(admin, name);
}

} // namespace holdfast::cli
