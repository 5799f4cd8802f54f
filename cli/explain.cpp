// holdfast explain MESSAGE_ID|KEY
#include "cli/command_line.hpp"
#include "client/admin.hpp"

#include <fmt/chrono.h>
#include <nlohmann/json.hpp>

#include <ctime>

namespace holdfast::cli {

namespace {

namespace po = boost::program_options;
using json = nlohmann::json;

constexpr std::string_view usage =
    "usage: holdfast explain MESSAGE_ID|KEY [--topic TOPIC] [--json]\n\n"
    "One page on where a message stands: when it came and from whom, where it is in the log, on which nodes\n"
    "it is flushed, what became of its transaction or its delay, and how far each consumer group is with "
    "it.\n"
    "It is found by either of its ids (the producer's or the broker's) or by one of its keys.\n";

std::string time_text(const json& ms) {
    if (!ms.is_number())
        return "-";
    const auto value = ms.get<std::int64_t>();
    const auto seconds = static_cast<std::time_t>(value / 1000);
    return fmt::format("{:%Y-%m-%d %H:%M:%S}.{:03}", fmt::localtime(seconds), value % 1000);
}

std::string text_of(const json& value, const char* otherwise = "-") {
    if (value.is_null())
        return otherwise;
    if (!value.is_string())
        return value.dump();
    const auto& text = value.get_ref<const std::string&>();
    return text.empty() ? otherwise : text;
}

std::string place_text(const json& place) {
    const auto where =
        fmt::format("topic {}, queue {}", text_of(place.at("topic")), text_of(place.at("queue")));
    return place.at("offset").is_null() ? where : where + ", offset " + text_of(place.at("offset"));
}

std::string times_text(std::uint64_t count) {
    return count == 1 ? "once" : fmt::format("{} times", count);
}

void print_list(const json& answer, const std::string& key) {
    fmt::print("{}{} messages match '{}':\n", answer.at("matches").get<std::size_t>(),
               answer.value("more", false) ? " or more" : "", key);
    for (const auto& one : answer.at("list"))
        fmt::print("  {}  {}  {}  {}\n", text_of(one.at("messageId")), time_text(one.at("received")),
                   text_of(one.at("standing")), place_text(one.at("place")));
    fmt::print("choose one by the id in front: holdfast explain {}\n",
               text_of(answer.at("list").at(0).at("messageId")));
}

// What the message is waiting for, or what became of it.
void print_transaction(const json& page) {
    const auto& transaction = page.at("transaction");
    if (!transaction.is_null()) {
        fmt::print("  transaction   {}; producer group {}", text_of(transaction.at("state")),
                   text_of(transaction.at("producerGroup")));
        if (!transaction.at("checks").is_null())
            fmt::print("; the producer was asked {}",
                       times_text(transaction.at("checks").get<std::uint64_t>()));
        if (!transaction.at("lastChecked").is_null())
            fmt::print(", last at {}", time_text(transaction.at("lastChecked")));
        fmt::print("\n");
    }
    const auto& delay = page.at("delay");
    if (!delay.is_null())
        fmt::print("  delayed       until {}: {}\n", time_text(delay.at("due")), text_of(delay.at("state")));
    if (!delay.is_null() && delay.contains("recallHandle") && !delay.at("recallHandle").is_null())
        fmt::print("                to take it back: holdfast delayed cancel {} {}\n",
                   text_of(page.at("place").at("topic")), text_of(delay.at("recallHandle")));
}

void print_group(const json& group) {
    std::string how = "not fetched yet";
    if (group.at("acknowledged").get<bool>())
        how = "acknowledged";
    else if (group.at("fetched").get<bool>())
        how = "fetched, not acknowledged yet";
    const auto sent_back = group.at("sentBack").get<std::uint64_t>();
    fmt::print("  group         {}: {}; next offset {}{}{}{}\n", text_of(group.at("group")), how,
               text_of(group.at("committed"), "none"),
               sent_back == 0 ? "" : "; sent back " + times_text(sent_back),
               group.at("deadLettered").get<bool>() ? "; dead-lettered" : "",
               group.at("online").get<bool>() ? "" : "; no consumer is connected");
    for (const auto& copy : group.at("copies")) {
        fmt::print("                  {} {}: {}", time_text(copy.at("received")),
                   place_text(copy.at("place")),
                   copy.at("acknowledged").get<bool>() ? "acknowledged" : text_of(copy.at("standing")));
        if (!copy.at("delay").is_null() && text_of(copy.at("standing")) == "waiting")
            fmt::print(" until {}", time_text(copy.at("delay").at("due")));
        fmt::print("\n");
    }
}

// "a, b (flushed), c behind by 4096 bytes"; a broker of another version does not say it.
void print_replicas(const json& page) {
    std::string flushed;
    std::string others;
    for (const auto& replica : page.value("replicas", json::array())) {
        const auto node = text_of(replica.at("node"));
        if (replica.at("flushed").get<bool>())
            flushed += (flushed.empty() ? "" : ", ") + node;
        else if (replica.at("behind").is_null())
            others += fmt::format(", {} not heard of yet", node);
        else
            others += fmt::format(", {} behind by {} bytes", node, text_of(replica.at("behind")));
    }
    const auto words = (flushed.empty() ? "nowhere yet" : flushed + " (flushed)") + others;
    if (page.contains("replicas"))
        fmt::print("  replicated    {}\n", words);
}

void print_page(const json& page) {
    const auto& log = page.at("log");
    fmt::print("message {}\n", text_of(page.at("uniqKey"), text_of(page.at("messageId")).c_str()));
    fmt::print("  broker's id   {}\n", text_of(page.at("messageId")));
    fmt::print("  keys          {}   tag {}\n", text_of(page.at("keys")), text_of(page.at("tag")));
    fmt::print("  received      {}, sent {} by {}\n", time_text(page.at("received")),
               time_text(page.at("born")), text_of(page.at("from")));
    fmt::print("  log           position {}, {} bytes, term {}; {}, {}{}\n", text_of(log.at("position")),
               text_of(log.at("size")), text_of(log.at("term")),
               log.at("flushed").get<bool>() ? "on the disk" : "not flushed yet",
               log.at("committed").get<bool>() ? "committed" : "not committed yet",
               log.at("bodyIntact").get<bool>() ? "" : "; ITS BODY DOES NOT MATCH ITS CHECKSUM");
    print_replicas(page);
    fmt::print("  place         {}: {}\n", place_text(page.at("place")), text_of(page.at("standing")));
    print_transaction(page);
    for (const auto& group : page.at("groups"))
        print_group(group);
    if (page.at("groups").empty())
        fmt::print("  group         nobody has read this queue yet\n");
}

} // namespace

int run_explain(std::span<const std::string> arguments) {
    po::options_description shown{"options"};
    auto add = shown.add_options();
    add("namesrv,n", po::value<std::string>()->default_value("127.0.0.1:9876"),
        "name servers, host:port;...");
    add("topic,t", po::value<std::string>()->default_value(""), "look in this topic only");
    add("json", "print the broker's answer as JSON");
    add("help,h", "this text");
    po::options_description hidden;
    hidden.add_options()("key", po::value<std::string>());
    po::positional_options_description places;
    places.add("key", 1);
    po::variables_map words;
    if (const auto done = understand(arguments, usage, shown, hidden, places, words))
        return *done;
    if (words.count("key") == 0)
        return misused("which message? `holdfast explain` takes its id or one of its keys");
    client::admin admin{client::client_options{.name_servers = words["namesrv"].as<std::string>()}};
    if (const auto started = admin.start(); !started)
        return failed(started.failure());
    const auto& key = words["key"].as<std::string>();
    const auto answer = admin.explain(key, words["topic"].as<std::string>());
    if (!answer)
        return failed(answer.failure());
    const auto parsed = json::parse(*answer, nullptr, /*allow_exceptions=*/false);
    if (!parsed.is_object() || !parsed.contains("matches"))
        return failed({errc::malformed, "the broker's answer can't be read; is it another version?"});
    const auto matches = parsed.at("matches").get<std::size_t>();
    if (words.count("json") != 0)
        fmt::print("{}\n", parsed.dump(2));
    if (parsed.value("standing", "") == "expired") {
        if (words.count("json") == 0)
            fmt::print("message {}: expired; retention has removed it, the log begins at position {}\n", key,
                       text_of(parsed.at("logFirst")));
        return exit_done;
    }
    if (matches == 0) {
        fmt::print(
            stderr,
            "holdfast: no message has the id or key '{}'{}; a new one can be found after two seconds\n", key,
            words["topic"].as<std::string>().empty() ? "" : " in this topic");
        return exit_failed;
    }
    if (words.count("json") != 0)
        return exit_done;
    if (matches > 1)
        print_list(parsed, key);
    else
        print_page(parsed.at("message"));
    return exit_done;
}

} // namespace holdfast::cli
