// holdfast_load: the end-to-end load generator, over real sockets and nothing but protocol/ (send, pull) or
// the client library (push). It shares the machine with the broker, so it spends as little as it can.
//
//   holdfast_load --broker-port 10911 --outstanding 1024                 closed loop
//   holdfast_load --broker-port 10911 --rate 50000                       open loop
//   holdfast_load --mode push --namesrv-port 9876                        drain with the push consumer
//   holdfast_load --mode first --broker-port 10911 -- holdfast serve ... start to first answered send
#include "bench/drain_load.hpp"
#include "bench/first_answer.hpp"
#include "bench/raw_socket.hpp"
#include "bench/send_load.hpp"

#include <boost/program_options.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace holdfast::bench {
namespace {

namespace po = boost::program_options;

double microseconds(std::uint64_t nanoseconds) {
    return static_cast<double>(nanoseconds) / 1e3;
}

int report(const load_options& options, const send_figures& figures) {
    constexpr auto json = R"({{"sends_per_s":{:.0f},"p50_us":{:.1f},"p99_us":{:.1f},"p999_us":{:.1f},)"
                          R"("max_us":{:.1f},"refused":{},"load_average":{:.1f}}})";
    constexpr auto text = "{:.0f} sends/s  p50 {:.0f} us  p99 {:.0f} us  p99.9 {:.0f} us  max {:.0f} us  "
                          "refused {}  load {:.1f}";
    const auto& latencies = figures.latencies;
    double load = 0;
    ::getloadavg(&load, 1);
    fmt::print(fmt::runtime(options.json_output ? json : text),
               static_cast<double>(latencies.total()) / figures.seconds,
               microseconds(latencies.quantile_ns(0.5)), microseconds(latencies.quantile_ns(0.99)),
               microseconds(latencies.quantile_ns(0.999)), microseconds(latencies.max_ns()), figures.refused,
               load);
    fmt::print("\n");
    if (figures.refused != 0)
        fmt::print(stderr, "holdfast_load: the first refusal was {}\n", figures.refusal);
    return figures.refused == 0 ? 0 : 2;
}

int report(const load_options& options, const drain_figures& figures) {
    constexpr auto json = R"({{"messages_per_s":{:.0f},"messages":{},"seconds":{:.3f},"first_s":{:.3f}}})";
    constexpr auto text = "{:.0f} messages/s  {} messages in {:.3f} s, the first after {:.3f} s";
    fmt::print(fmt::runtime(options.json_output ? json : text),
               static_cast<double>(figures.messages) / figures.seconds, figures.messages, figures.seconds,
               figures.first_seconds);
    fmt::print("\n");
    if (figures.sent_back != 0)
        fmt::print(stderr, "holdfast_load: {} of them sent back\n", figures.sent_back);
    if (const auto& late = figures.lateness; late.total() != 0)
        fmt::print(stderr, "holdfast_load: late by p50 {:.0f} ms, p99 {:.0f} ms, at most {:.0f} ms\n",
                   microseconds(late.quantile_ns(0.5)) / 1e3, microseconds(late.quantile_ns(0.99)) / 1e3,
                   microseconds(late.max_ns()) / 1e3);
    return 0;
}

int run(const std::string& mode, const std::vector<std::string>& command, load_options& options) {
    if (mode == "first") {
        fmt::print("{:.1f} ms to the first answered send\n", milliseconds_to_first_answer(options, command));
        return 0;
    }
    if (mode == "push")
        return report(options, run_push(options));
    if (mode == "pull")
        return report(options, run_pulls(options));
    if (mode != "send")
        give_up("--mode must be send, push, pull or first, not " + mode);
    create_topics(options);
    return report(options, run_sends(options));
}

int understand(int argc, char** argv) {
    load_options options;
    std::string mode = "send";
    std::string headers = "binary";
    double duration_s = 5;
    double warm_up_s = 1;
    std::vector<std::string> command;
    po::options_description shown{"options"};
    auto add = shown.add_options();
    add("mode", po::value(&mode)->default_value(mode), "send, push, pull, or first");
    add("host", po::value(&options.host)->default_value(options.host), "IPv4 address");
    add("broker-port", po::value(&options.broker_port)->default_value(options.broker_port), "");
    add("namesrv-port", po::value(&options.namesrv_port)->default_value(options.namesrv_port), "push only");
    add("headers", po::value(&headers)->default_value(headers), "binary, or json as stock clients write it");
    add("topic-prefix", po::value(&options.topic_prefix)->default_value(options.topic_prefix), "");
    add("topics", po::value(&options.topics)->default_value(options.topics), "at most 100000");
    add("queues", po::value(&options.queues)->default_value(options.queues), "of a topic, at most 10");
    add("body", po::value(&options.body_bytes)->default_value(options.body_bytes), "bytes");
    add("transactional", po::bool_switch(&options.transactional),
        "send halves, and commit each when it is answered");
    add("undecided", po::bool_switch(&options.undecided), "with --transactional: leave the halves undecided");
    add("delay-ms", po::value(&options.delay_ms),
        "delay each message by up to so many ms, spread evenly; with push: say how late such messages come");
    add("connections", po::value(&options.connections)->default_value(options.connections), "");
    add("outstanding", po::value(&options.outstanding)->default_value(options.outstanding),
        "sends without an answer, of each connection (closed loop)");
    add("rate", po::value(&options.rate)->default_value(0), "sends/s in all (open loop); 0 = closed loop");
    add("duration", po::value(&duration_s)->default_value(duration_s), "seconds");
    add("warm-up", po::value(&warm_up_s)->default_value(warm_up_s), "seconds");
    add("count", po::value(&options.count)->default_value(0), "end after so many messages instead");
    add("listener-threads", po::value(&options.listener_threads)->default_value(1), "push only");
    add("send-back", po::value(&options.send_back_every),
        "push only: so often a message is sent back, its first time");
    add("json", po::bool_switch(&options.json_output), "print JSON");
    add("help", "this text");
    po::options_description all;
    all.add(shown).add_options()("command", po::value(&command));
    po::positional_options_description rest;
    rest.add("command", -1);
    po::variables_map words;
    po::store(po::command_line_parser(argc, argv).options(all).positional(rest).run(), words);
    po::notify(words);
    if (words.count("help") != 0) {
        std::ostringstream text;
        text << shown;
        fmt::print("{}", text.str());
        return 0;
    }
    if (headers != "json" && headers != "binary")
        give_up("--headers must be binary or json, not " + headers);
    if (options.topics < 1 || options.topics > 100'000 || options.queues < 1 || options.queues > 10 ||
        options.connections < 1 || options.outstanding < 1)
        give_up("--topics must be 1 to 100000, --queues 1 to 10, --connections and --outstanding at least 1");
    options.headers = headers == "json" ? protocol::serialize_type::json : protocol::serialize_type::binary;
    options.duration = std::chrono::duration<double>{duration_s};
    options.warm_up = std::chrono::duration<double>{warm_up_s};
    return run(mode, command, options);
}

} // namespace
} // namespace holdfast::bench

int main(int argc, char** argv) {
    try {
        return holdfast::bench::understand(argc, argv);
    } catch (const std::exception& failure) {
        holdfast::bench::give_up(failure.what());
    }
}
