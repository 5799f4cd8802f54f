// holdfast delayed cancel TOPIC HANDLE|MESSAGE_ID
#include "cli/command_line.hpp"
#include "client/admin.hpp"
#include "client/producer.hpp"
#include "protocol/message_id.hpp"
#include "protocol/recall_handle.hpp"

#include <nlohmann/json.hpp>

namespace holdfast::cli {

namespace {

namespace po = boost::program_options;

constexpr std::string_view usage =
    "usage: holdfast delayed cancel TOPIC (HANDLE | MESSAGE_ID) [OPTIONS]\n\n"
    "cancel  takes back a delayed message that is not due yet. HANDLE is the recall handle that\n"
    "        `holdfast send --deliver-after` printed (a producer finds it in its receipt). MESSAGE_ID is\n"
    "        either of the message's ids, as `holdfast send` and `holdfast explain` print them; the\n"
    "        producer's is known two seconds after the send.\n";

// A message can be named by the producer's id, but is called back by the broker's.
result<std::string> handle_of(const std::string& id, const std::string& topic,
                              const client::client_options& options) {
    client::admin admin{options};
    if (const auto started = admin.start(); !started)
        return started.failure();
    const auto answer = admin.explain(id, topic);
    if (!answer)
        return answer.failure();
    const auto page = nlohmann::json::parse(*answer, nullptr, /*allow_exceptions=*/false);
    if (!page.is_object() || !page.contains("message"))
        return error{errc::not_found, "there is no message " + id + " in the topic " + topic +
                                          "; a new one can be found after two seconds"};
    return protocol::make_recall_handle(
        {topic, "-", timestamp_ms{0}, page.at("message").at("messageId").get<std::string>()});
}

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
    for (const char* const place : {"what", "topic", "message"})
        hide(place, po::value<std::string>());
    po::positional_options_description places;
    places.add("what", 1).add("topic", 1).add("message", 1);
    po::variables_map words;
    if (const auto done = understand(arguments, usage, shown, hidden, places, words))
        return *done;
    const auto what = words.count("what") != 0 ? words["what"].as<std::string>() : std::string{};
    if (what != "cancel")
        return misused(what.empty()
                           ? "what about delayed messages? `holdfast delayed cancel TOPIC MESSAGE_ID`"
                           : "delayed messages can't '" + what + "'; there is cancel TOPIC MESSAGE_ID");
    if (words.count("message") == 0)
        return misused("which message? `holdfast delayed cancel TOPIC MESSAGE_ID`");
    client::producer_options options;
    options.client.name_servers = words["namesrv"].as<std::string>();
    options.group = words["group"].as<std::string>();
    const auto& topic = words["topic"].as<std::string>();
    auto handle = words["message"].as<std::string>();
    if (protocol::parse_message_id(handle)) {
        auto found = handle_of(handle, topic, options.client);
        if (!found)
            return failed(found.failure());
        handle = std::move(*found);
    }
    client::producer producer{options};
    if (const auto started = producer.start(); !started)
        return failed(started.failure());
    const auto cancelled = producer.recall(topic, handle);
    if (!cancelled)
        return failed(cancelled.failure());
    fmt::print("{} is cancelled and will not be delivered\n", *cancelled);
    return exit_done;
}

} // namespace holdfast::cli
