// holdfast group list | show GROUP | reset GROUP TOPIC | clone FROM TO TOPIC | resend GROUP | delete GROUP
#include "cli/command_line.hpp"
#include "cli/group_resend.hpp"
#include "cli/time_words.hpp"
#include "client/admin.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <chrono>

namespace holdfast::cli {

namespace {

namespace po = boost::program_options;

constexpr std::string_view usage =
    "usage: holdfast group list | show GROUP | reset GROUP TOPIC WHERE | clone FROM TO [TOPIC] | "
    "resend GROUP | delete GROUP [OPTIONS]\n\n"
    "list    prints all consumer groups, who consumes and how far behind they are\n"
    "show    prints a group's consumers and its place in every queue\n"
    "reset   moves a group's place in a topic, also while it consumes; WHERE is one of --to-time,\n"
    "        --to-offset (with --queue), --earliest, --latest\n"
    "clone   gives the group TO the places of the group FROM\n"
    "resend  sends what a group has given up (its dead letters) once more, as new messages, to the topic\n"
    "        each came from or --to another; what was sent again before is not sent twice\n"
    "delete  forgets a group and its places; consumers that are still connected make it anew\n";

void print_json(const nlohmann::json& value) {
    fmt::print("{}\n", value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

std::string counted(std::int64_t number, std::string_view what) {
    return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

int list(client::admin& admin, bool json) {
    const auto groups = admin.groups();
    if (!groups)
        return failed(groups.failure());
    nlohmann::json all = nlohmann::json::array();
    for (const std::string& each : *groups) {
        const auto status = admin.group(each);
        if (!status)
            return failed(status.failure());
        if (json)
            all.push_back(
                {{"group", each}, {"consumers", status->members.size()}, {"behind", status->behind()}});
        else
            fmt::print("{:<32} {:<14} {} behind\n", each,
                       counted(static_cast<std::int64_t>(status->members.size()), "consumer"),
                       counted(status->behind(), "message"));
    }
    if (json)
        print_json(all);
    return exit_done;
}

nlohmann::json to_json(const std::string& name, const client::group_status& status) {
    nlohmann::json members = nlohmann::json::array();
    for (const auto& each : status.members)
        members.push_back(
            {{"clientId", each.client_id}, {"address", each.address}, {"language", each.language}});
    nlohmann::json queues = nlohmann::json::array();
    for (const auto& each : status.queues)
        queues.push_back({{"topic", each.queue.topic},
                          {"broker", each.queue.broker_name},
                          {"queue", each.queue.queue.value()},
                          {"next", each.next.value()},
                          {"last", each.last.value()},
                          {"behind", each.behind()}});
    return {{"group", name},
            {"consumers", members},
            {"model", status.broadcasting ? "broadcasting" : "clustering"},
            {"subscriptions", status.subscriptions},
            {"queues", queues},
            {"behind", status.behind()}};
}

int show(client::admin& admin, const std::string& name, bool json) {
    const auto status = admin.group(name);
    if (!status)
        return failed(status.failure());
    if (json) {
        print_json(to_json(name, *status));
        return exit_done;
    }
    if (status->members.empty())
        fmt::print("{}: nobody consumes now\n", name);
    else
        fmt::print("{}: {}{}\n", name, counted(static_cast<std::int64_t>(status->members.size()), "consumer"),
                   status->broadcasting ? ", each gets every message and keeps its own place" : "");
    for (const auto& each : status->members)
        fmt::print("  {} at {} ({})\n", each.client_id, each.address, each.language);
    for (const auto& [topic, expression] : status->subscriptions)
        fmt::print("  subscribes to {}, {}\n", topic,
                   expression == "*" || expression.empty() ? "all tags" : "tags " + expression);
    for (const auto& each : status->queues)
        fmt::print("  {} {} queue {:<4} next {} of {}  {} behind\n", each.queue.topic, each.queue.broker_name,
                   each.queue.queue.value(), each.next.value(), each.last.value(), each.behind());
    fmt::print("  {} behind in all\n", counted(status->behind(), "message"));
    return exit_done;
}

// Which place the words name; exactly one.
result<client::reset_target> target_of(const po::variables_map& words) {
    static constexpr std::array ways{"to-time", "to-offset", "earliest", "latest", "skip"};
    const auto given =
        std::count_if(ways.begin(), ways.end(), [&](const char* way) { return words.count(way) != 0; });
    if (given != 1)
        return error{errc::invalid_argument,
                     "where to? write one of --to-time TIME, --to-offset N --queue Q, --earliest, --latest"};
    client::reset_target target;
    if (words.count("queue") != 0)
        target.queue = queue_number{words["queue"].as<std::uint32_t>()};
    if (words.count("latest") != 0 || words.count("skip") != 0)
        target.time = timestamp_ms{-1};
    if (words.count("to-time") != 0) {
        const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::system_clock::now().time_since_epoch());
        const auto time = parse_time(words["to-time"].as<std::string>(), timestamp_ms{now.count()});
        if (!time)
            return time.failure();
        target.time = *time;
    }
    if (words.count("to-offset") != 0) {
        if (!target.queue)
            return error{errc::invalid_argument, "--to-offset needs --queue: offsets are counted per queue"};
        const auto offset = words["to-offset"].as<std::int64_t>();
        if (offset < 0)
            return error{errc::invalid_argument, "--to-offset must not be negative"};
        target.offset = queue_offset{offset};
    }
    return target;
}

int reset(client::admin& admin, const std::string& name, const std::string& topic,
          const client::reset_target& target, bool json) {
    const auto now = admin.reset_group(name, topic, target);
    if (!now)
        return failed(now.failure());
    nlohmann::json all = nlohmann::json::array();
    for (const auto& [queue, offset] : *now) {
        if (json)
            all.push_back(
                {{"broker", queue.broker_name}, {"queue", queue.queue.value()}, {"next", offset.value()}});
        else
            fmt::print("{} goes on in {} {} queue {} at {}\n", name, topic, queue.broker_name,
                       queue.queue.value(), offset.value());
    }
    if (json)
        print_json(all);
    return exit_done;
}

int clone(client::admin& admin, const std::vector<std::string>& names) {
    const auto topic = names.size() == 3 ? names[2] : std::string{};
    if (const auto done = admin.clone_group(names[0], names[1], topic); !done)
        return failed(done.failure());
    fmt::print("{} goes on where {} is{}\n", names[1], names[0], topic.empty() ? "" : " in " + topic);
    return exit_done;
}

int remove(client::admin& admin, const std::string& name, bool force) {
    if (!force) {
        const auto status = admin.group(name);
        if (!status)
            return failed(status.failure());
        if (!status->members.empty())
            return failed(
                {errc::unavailable,
                 fmt::format("{} has {} connected, which would make it anew; stop them first, or "
                             "say --force",
                             name, counted(static_cast<std::int64_t>(status->members.size()), "consumer"))});
    }
    if (const auto done = admin.delete_group(name); !done)
        return failed(done.failure());
    fmt::print("group {} is gone\n", name);
    return exit_done;
}

// How many names each order takes.
struct order {
    std::string_view word;
    std::size_t least;
    std::size_t most;
    std::string_view names;
};
constexpr std::array orders{order{"list", 0, 0, ""},
                            order{"show", 1, 1, " GROUP"},
                            order{"reset", 2, 2, " GROUP TOPIC"},
                            order{"clone", 2, 3, " FROM TO [TOPIC]"},
                            order{"resend", 1, 1, " GROUP"},
                            order{"delete", 1, 1, " GROUP"}};

int carry_out(std::string_view what, const std::vector<std::string>& names, const po::variables_map& words) {
    client::reset_target target;
    if (what == "reset") {
        const auto wanted = target_of(words);
        if (!wanted)
            return failed(wanted.failure());
        target = *wanted;
    }
    const bool json = words.count("json") != 0;
    const client::client_options options{.name_servers = words["namesrv"].as<std::string>()};
    if (what == "resend")
        return resend_dead_letters(options, names[0],
                                   words.count("to") != 0 ? words["to"].as<std::string>() : std::string{});
    client::admin admin{options};
    if (const auto started = admin.start(); !started)
        return failed(started.failure());
    if (what == "list")
        return list(admin, json);
    if (what == "show")
        return show(admin, names[0], json);
    if (what == "reset")
        return reset(admin, names[0], names[1], target, json);
    if (what == "clone")
        return clone(admin, names);
    return remove(admin, names[0], words.count("force") != 0);
}

} // namespace

int run_group(std::span<const std::string> arguments) {
    po::options_description shown{"options"};
    auto add = shown.add_options();
    add("namesrv,n", po::value<std::string>()->default_value("127.0.0.1:9876"),
        "name servers, host:port;...");
    add("to-time", po::value<std::string>(),
        "reset: to the first message of that time: '2026-11-23 18:00', 10m (ago), milliseconds since 1970");
    add("to-offset", po::value<std::int64_t>(), "reset: to that offset of --queue");
    add("earliest", "reset: to the oldest message there is");
    add("latest", "reset: behind the newest message");
    add("skip", "reset: the same as --latest: what waits is skipped");
    add("queue,q", po::value<std::uint32_t>(), "reset: only this queue");
    add("to", po::value<std::string>(), "resend: to this topic");
    add("force", "delete: also while consumers are connected");
    add("json", "list, show, reset: print JSON");
    add("help,h", "this text");
    po::options_description hidden;
    hidden.add_options()("what", po::value<std::string>())("names", po::value<std::vector<std::string>>());
    po::positional_options_description places;
    places.add("what", 1).add("names", -1);
    po::variables_map words;
    if (const auto done = understand(arguments, usage, shown, hidden, places, words))
        return *done;
    const std::string what = words.count("what") != 0 ? words["what"].as<std::string>() : std::string{};
    const auto* const found =
        std::find_if(orders.begin(), orders.end(), [&](const order& each) { return each.word == what; });
    if (found == orders.end())
        return misused(
            (what.empty() ? std::string{"what about groups?"} : "groups can't '" + what + "';") +
            " there are list, show GROUP, reset GROUP TOPIC, clone FROM TO, resend GROUP and delete GROUP");
    const auto names = words.count("names") != 0 ? words["names"].as<std::vector<std::string>>()
                                                 : std::vector<std::string>{};
    if (names.size() < found->least || names.size() > found->most)
        return misused("write `holdfast group " + what + std::string{found->names} + "`");
    return carry_out(what, names, words);
}

} // namespace holdfast::cli
