// holdfast send TOPIC [BODY | -]
#include "cli/command_line.hpp"
#include "client/producer.hpp"
#include "protocol/names.hpp"

#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <iostream>
#include <mutex>

namespace holdfast::cli {

namespace {

namespace po = boost::program_options;

constexpr std::string_view usage =
    "usage: holdfast send TOPIC (BODY | - | --size BYTES) [OPTIONS]\n\n"
    "Sends BODY, or each line of stdin (`-`), or BYTES times 'x', and waits until every message is on disk.\n"
    "A topic that does not exist is created by its first message, if the broker allows that.\n"
    "With a delay, consumers see the message only then: by one of the broker's levels, or after a time like\n"
    "1500ms, 30s, 10m, 2h or 7d.\n";

// Counts what came back, and says what went wrong: the first few times, not a million times.
class outcome {
  public:
    void add(const client::send_result& sent, bool show) {
        const std::lock_guard lock{mutex_};
        if (sent) {
            ++stored_;
            const auto& receipt = sent.receipt();
            if (show)
                fmt::print("{} stored in queue {} of {} at offset {}\n", receipt.message_id,
                           receipt.queue.value(), receipt.broker_name, receipt.offset.value());
            if (show && !receipt.recall_handle.empty())
                fmt::print("recall handle: {}\n", receipt.recall_handle);
        } else if (++failed_ <= most_told) {
            fmt::print(stderr, "holdfast: not sent: {}{}\n", sent.failure().message,
                       sent.failure().may_be_stored() ? " (it may be stored all the same)" : "");
        }
    }
    [[nodiscard]] std::size_t stored() const { return stored_; }
    [[nodiscard]] std::size_t failed() const { return failed_; }

  private:
    static constexpr std::size_t most_told = 5;
    std::mutex mutex_;
    std::size_t stored_ = 0;
    std::size_t failed_ = 0;
};

// `name=value` of every --property.
result<std::vector<std::pair<std::string, std::string>>> properties_of(const po::variables_map& words) {
    std::vector<std::pair<std::string, std::string>> all;
    if (words.count("property") == 0)
        return all;
    for (const auto& each : words["property"].as<std::vector<std::string>>()) {
        const auto equals = each.find('=');
        if (equals == std::string::npos || equals == 0)
            return error{errc::invalid_argument,
                         "--property " + each + " has no name and value; write --property colour=blue"};
        all.emplace_back(each.substr(0, equals), each.substr(equals + 1));
    }
    return all;
}

// `1500ms`, `30s`, `10m`, `2h`, `7d` in milliseconds.
result<std::int64_t> milliseconds_of(const std::string& text) {
    static constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> units{
        {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
    constexpr std::int64_t most = 1'000'000'000;
    std::int64_t count = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, failure] = std::from_chars(text.data(), end, count);
    const std::string_view unit{rest, static_cast<std::size_t>(end - rest)};
    for (const auto& [name, factor] : units)
        if (failure == std::errc{} && unit == name && count > 0 && count <= most)
            return count * factor;
    return error{errc::invalid_argument,
                 "--deliver-after " + text +
                     " is no time; write a number and a unit, as 1500ms, 30s, 10m, 2h or 7d"};
}

result<void> set_delay(const po::variables_map& words, client::message& pattern) {
    const bool by_level = words.count("delay-level") != 0;
    const bool by_time = words.count("deliver-after") != 0;
    if (by_level && by_time)
        return error{errc::invalid_argument, "give --delay-level or --deliver-after, not both"};
    if (by_level)
        pattern.delay_level = words["delay-level"].as<std::int32_t>();
    if (by_level && pattern.delay_level < 1)
        return error{errc::invalid_argument, "--delay-level must be 1 or more"};
    if (!by_time)
        return {};
    const auto delay = milliseconds_of(words["deliver-after"].as<std::string>());
    if (!delay)
        return delay.failure();
    pattern.deliver_after_ms = *delay;
    return {};
}

void send_lines(client::producer& to, const client::message& pattern, outcome& result) {
    std::size_t empty = 0;
    for (std::string line; std::getline(std::cin, line);) {
        if (line.empty()) {
            ++empty;
            continue;
        }
        auto outgoing = pattern;
        outgoing.body = std::move(line);
        to.send_async(std::move(outgoing), [&](const client::send_result& sent) { result.add(sent, false); });
    }
    if (empty != 0)
        fmt::print(stderr, "holdfast: {} empty lines skipped: RocketMQ has no empty messages\n", empty);
}

int report(const outcome& result, std::chrono::steady_clock::duration took) {
    const double seconds = std::chrono::duration<double>(took).count();
    fmt::print("{} messages stored in {:.3f} s ({:.0f}/s)\n", result.stored(), seconds,
               static_cast<double>(result.stored()) / seconds);
    if (result.failed() != 0)
        fmt::print(stderr, "holdfast: {} messages not sent\n", result.failed());
    return result.failed() == 0 ? exit_done : exit_failed;
}

} // namespace

int run_send(std::span<const std::string> arguments) {
    po::options_description shown{"options"};
    auto add = shown.add_options();
    add("namesrv,n", po::value<std::string>()->default_value("127.0.0.1:9876"),
        "name servers, host:port;...");
    add("key,k", po::value<std::string>()->default_value(""), "key to find it by; several in one, by spaces");
    add("tag,t", po::value<std::string>()->default_value(""), "tag to filter it by");
    add("property,p", po::value<std::vector<std::string>>()->composing(), "name=value; may be repeated");
    add("count,c", po::value<std::uint64_t>()->default_value(1), "send it so many times");
    add("size,s", po::value<std::size_t>(), "a body of so many bytes, instead of BODY");
    add("delay-level", po::value<std::int32_t>(), "delay by the broker's level, 1 (1 s) to 18 (2 h)");
    add("deliver-after", po::value<std::string>(), "delay by so long");
    add("group,g", po::value<std::string>()->default_value("HOLDFAST_SEND"), "producer group");
    add("help,h", "this text");
    po::options_description hidden;
    hidden.add_options()("topic", po::value<std::string>())("body", po::value<std::string>());
    po::positional_options_description places;
    places.add("topic", 1).add("body", 1);
    po::variables_map words;
    if (const auto done = understand(arguments, usage, shown, hidden, places, words))
        return *done;
    if (words.count("topic") == 0)
        return misused("which topic? `holdfast send TOPIC BODY`");
    if (words.count("body") == words.count("size"))
        return misused(words.count("size") == 0 ? "what shall be sent? give BODY, or - for stdin, or --size"
                                                : "give BODY or --size, not both");
    if (const auto good = protocol::check_topic_name(words["topic"].as<std::string>()); !good)
        return failed(good.failure());
    auto properties = properties_of(words);
    if (!properties)
        return failed(properties.failure());
    client::message pattern{.topic = words["topic"].as<std::string>(),
                            .body = {},
                            .tag = words["tag"].as<std::string>(),
                            .keys = words["key"].as<std::string>(),
                            .properties = std::move(*properties)};
    if (auto good = set_delay(words, pattern); !good)
        return failed(good.failure());
    const bool from_stdin = words.count("body") != 0 && words["body"].as<std::string>() == "-";
    const auto count = words["count"].as<std::uint64_t>();
    if (from_stdin && count != 1)
        return misused("--count does not go with - (stdin)");
    pattern.body = words.count("size") != 0 ? std::string(words["size"].as<std::size_t>(), 'x')
                                            : words["body"].as<std::string>();

    client::producer_options options;
    options.client.name_servers = words["namesrv"].as<std::string>();
    options.group = words["group"].as<std::string>();
    options.send_timeout = std::chrono::seconds{10};
    outcome result; // outlives the producer, whose callbacks use it
    client::producer producer{options};
    if (const auto started = producer.start(); !started)
        return failed(started.failure());
    const auto begun = std::chrono::steady_clock::now();
    if (from_stdin) {
        send_lines(producer, pattern, result);
    } else {
        for (std::uint64_t number = 0; number < count; ++number)
            producer.send_async(
                pattern, [&, count](const client::send_result& sent) { result.add(sent, count == 1); });
    }
    producer.shutdown();
    if (!from_stdin && count == 1)
        return result.failed() == 0 ? exit_done : exit_failed;
    return report(result, std::chrono::steady_clock::now() - begun);
}

} // namespace holdfast::cli
