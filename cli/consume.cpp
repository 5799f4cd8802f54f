// holdfast consume TOPIC
#include "cli/command_line.hpp"
#include "client/push_consumer.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <mutex>

namespace holdfast::cli {

namespace {

namespace po = boost::program_options;

constexpr std::string_view usage =
    "usage: holdfast consume TOPIC [OPTIONS]\n\n"
    "Prints messages as they arrive, one a line, until Ctrl-C. A message is acknowledged after it is "
    "printed;\n"
    "the group's place is kept on the broker, so the next start goes on where this one ended.\n"
    "--format takes {body} {topic} {tag} {keys} {id} {queue} {offset} {time}, and \\n \\t.\n";

// A --format taken apart: literal text and fields in turn.
struct piece {
    std::string text;
    bool is_field = false;
};

result<std::vector<piece>> parse_format(std::string_view format) {
    static constexpr std::array known{"body", "topic", "tag", "keys", "id", "queue", "offset", "time"};
    std::vector<piece> pieces;
    std::string text;
    for (std::size_t at = 0; at < format.size(); ++at) {
        if (format[at] == '\\' && at + 1 < format.size()) {
            const char next = format[++at];
            text += next == 'n' ? '\n' : next == 't' ? '\t' : next;
            continue;
        }
        const auto end = format[at] == '{' ? format.find('}', at) : std::string_view::npos;
        if (end == std::string_view::npos) {
            text += format[at];
            continue;
        }
        const auto name = format.substr(at + 1, end - at - 1);
        if (std::find(known.begin(), known.end(), name) == known.end())
            return error{errc::invalid_argument,
                         "--format knows no {" + std::string{name} +
                             "}; there are {body} {topic} {tag} {keys} {id} {queue} {offset} {time}"};
        pieces.push_back({std::exchange(text, {})});
        pieces.push_back({std::string{name}, true});
        at = end;
    }
    pieces.push_back({text});
    return pieces;
}

void print(const client::delivery& one, const std::vector<piece>& format) {
    const auto message = one.message();
    std::string line;
    for (const piece& each : format) {
        if (!each.is_field)
            line += each.text;
        else if (each.text == "body")
            line += one.body();
        else if (each.text == "topic")
            line += message.topic();
        else if (each.text == "tag")
            line += message.tag();
        else if (each.text == "keys")
            line += message.keys();
        else if (each.text == "id")
            line += message.message_id();
        else if (each.text == "queue")
            line += std::to_string(one.queue().queue.value());
        else if (each.text == "offset")
            line += std::to_string(one.offset().value());
        else
            line += std::to_string(message.stored_at().value());
    }
    line += '\n';
    std::fwrite(line.data(), 1, line.size(), stdout);
}

// --from first | last | milliseconds since 1970.
result<void> read_from(const std::string& text, client::push_consumer_options& options) {
    if (text == "first" || text == "last") {
        options.from = text == "first" ? client::consume_from::first : client::consume_from::last;
        return {};
    }
    std::int64_t time = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), time);
    if (failure != std::errc{} || end != text.data() + text.size() || time < 0)
        return error{errc::invalid_argument,
                     "--from " + text + ": write first, last, or a time in milliseconds since 1970"};
    options.from = client::consume_from::time;
    options.from_time = timestamp_ms{time};
    return {};
}

// Prints deliveries and stops the loop when enough of them are done.
class printer {
  public:
    printer(boost::asio::io_context& loop, std::vector<piece> format, bool quiet, std::uint64_t wanted)
        : loop_(loop), format_(std::move(format)), quiet_(quiet), wanted_(wanted) {}

    void take(std::span<client::delivery> deliveries) {
        const std::lock_guard lock{mutex_};
        // What is over the wanted number stays unacknowledged: another time, or another member.
        const auto count = std::min<std::uint64_t>(deliveries.size(), wanted_ - printed_);
        if (!quiet_)
            for (std::uint64_t at = 0; at < count; ++at)
                print(deliveries[at], format_);
        if (std::fflush(stdout) != 0)
            return loop_.stop(); // nobody reads any more
        for (std::uint64_t at = 0; at < count; ++at)
            deliveries[at].ack();
        printed_ += count;
        if (printed_ == wanted_)
            loop_.stop();
    }
    [[nodiscard]] std::uint64_t printed() {
        const std::lock_guard lock{mutex_};
        return printed_;
    }

  private:
    boost::asio::io_context& loop_;
    const std::vector<piece> format_;
    const bool quiet_;
    const std::uint64_t wanted_;
    std::mutex mutex_;
    std::uint64_t printed_ = 0;
};

int tail(client::push_consumer_options options, const po::variables_map& words, std::vector<piece> format) {
    constexpr auto no_end = ~std::uint64_t{0};
    const auto wanted = words.count("count") != 0 ? words["count"].as<std::uint64_t>() : no_end;
    boost::asio::io_context loop;
    boost::asio::signal_set signals{loop, SIGINT, SIGTERM};
    signals.async_wait([&](const boost::system::error_code& stopped, int) {
        if (!stopped)
            loop.stop();
    });
    bool late = false;
    boost::asio::steady_timer timer{loop};
    if (words.count("timeout") != 0) {
        const std::chrono::duration<double> seconds{words["timeout"].as<double>()};
        timer.expires_after(std::chrono::duration_cast<std::chrono::nanoseconds>(seconds));
        timer.async_wait([&](const boost::system::error_code& stopped) {
            late = !stopped;
            loop.stop();
        });
    }
    options.on_trouble = [last = std::string{}](const error& what) mutable {
        // Every queue reports the same lost connection: once is enough.
        constexpr std::string_view before_reason = "again: ";
        const auto at = what.message.find(before_reason);
        const auto reason = at == std::string::npos ? what.message : what.message.substr(at);
        if (std::exchange(last, reason) != reason)
            fmt::print(stderr, "holdfast: {}\n", what.message);
    };
    printer out{loop, std::move(format), words.count("quiet") != 0, wanted};
    client::push_consumer consumer{options};
    if (const auto subscribed =
            consumer.subscribe(words["topic"].as<std::string>(), words["tag"].as<std::string>());
        !subscribed)
        return failed(subscribed.failure());
    if (const auto started =
            consumer.start_batches([&](std::span<client::delivery> deliveries) { out.take(deliveries); });
        !started)
        return failed(started.failure());
    loop.run();
    consumer.shutdown();
    if (words.count("quiet") != 0)
        fmt::print("{} messages\n", out.printed());
    if (late && wanted != no_end && out.printed() < wanted) {
        fmt::print(stderr, "holdfast: {} of {} messages after {} s\n", out.printed(), wanted,
                   words["timeout"].as<double>());
        return exit_failed;
    }
    return exit_done;
}

} // namespace

int run_consume(std::span<const std::string> arguments) {
    po::options_description shown{"options"};
    auto add = shown.add_options();
    add("namesrv,n", po::value<std::string>()->default_value("127.0.0.1:9876"),
        "name servers, host:port;...");
    add("group,g", po::value<std::string>()->default_value("HOLDFAST_CONSUME"), "consumer group");
    add("tag,t", po::value<std::string>()->default_value("*"), "only these tags, as \"A || B\"");
    add("from", po::value<std::string>()->default_value("last"),
        "where a group that is new to the topic begins: last (what comes from now on), first, or a time in "
        "milliseconds since 1970");
    add("count,c", po::value<std::uint64_t>(), "end after so many messages");
    add("timeout", po::value<double>(), "end after so many seconds; status 1 if --count was not reached");
    add("format,f", po::value<std::string>()->default_value("{body}"), "what to print of a message");
    add("quiet,q", "print only how many there were");
    add("help,h", "this text");
    po::options_description hidden;
    hidden.add_options()("topic", po::value<std::string>());
    po::positional_options_description places;
    places.add("topic", 1);
    po::variables_map words;
    if (const auto done = understand(arguments, usage, shown, hidden, places, words))
        return *done;
    if (words.count("topic") == 0)
        return misused("which topic? `holdfast consume TOPIC`");
    if (words.count("count") != 0 && words["count"].as<std::uint64_t>() == 0)
        return misused("--count must be at least 1");
    if (words.count("timeout") != 0 && words["timeout"].as<double>() <= 0)
        return misused("--timeout must be more than 0");
    auto format = parse_format(words["format"].as<std::string>());
    if (!format)
        return failed(format.failure());
    client::push_consumer_options options;
    options.client.name_servers = words["namesrv"].as<std::string>();
    options.group = words["group"].as<std::string>();
    // One thread prints, so that the messages of a queue stay in their order.
    options.listener_threads = 1;
    if (const auto good = read_from(words["from"].as<std::string>(), options); !good)
        return failed(good.failure());
    return tail(std::move(options), words, std::move(*format));
}

} // namespace holdfast::cli
