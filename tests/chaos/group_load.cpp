#include "tests/chaos/group_load.hpp"

#include "client/producer.hpp"
#include "tests/crash/load.hpp"

#include <memory>
#include <random>

namespace holdfast::chaos {
namespace {

using namespace std::chrono_literals;
using crash::ledger;
using crash::queue_place;
using crash::wire_client;

constexpr std::uint32_t producers = 2;
// The machine is shared, and what is sent is read again at the end.
constexpr auto pause = 2ms;

std::int64_t steady_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

client::producer_options options_to(const std::string& name_servers) {
    client::producer_options options;
    options.client.name_servers = name_servers;
    options.client.reconnect_first = options.client.reconnect_most = 20ms;
    options.client.request_timeout = 500ms;
    options.client.route_interval = 100ms;
    options.group = "chaos-producers";
    options.retries = 0; // nothing is sent twice
    options.send_timeout = 1'500ms;
    options.compress_over_bytes = 0;
    options.max_in_flight = 200;
    return options;
}

} // namespace

group_load::group_load(ledger& book, std::uint64_t seed, std::string name_servers,
                       std::function<crash::server_address()> leader)
    : book_(book),
      name_servers_(std::move(name_servers)),
      leader_(std::move(leader)),
      last_ok_ms_(steady_ms()) {
    std::mt19937_64 seeds{seed};
    for (std::uint32_t i = 0; i < producers; ++i)
        threads_.emplace_back([this, one = seeds()] { produce(one); });
    threads_.emplace_back([this, one = seeds()] { consume(one); });
}

void group_load::stop() {
    stopping_ = true;
    for (auto& thread : threads_)
        thread.join();
    threads_.clear();
}

void group_load::answered_ok() {
    ++ok_;
    const auto now = steady_ms();
    const auto gap = now - last_ok_ms_.exchange(now);
    for (auto known = longest_gap_ms_.load(); gap > known;)
        if (longest_gap_ms_.compare_exchange_weak(known, gap))
            break;
}

std::chrono::milliseconds group_load::take_longest_gap() {
    const auto present = steady_ms() - last_ok_ms_.load();
    return std::chrono::milliseconds{std::max(longest_gap_ms_.exchange(0), present)};
}

void group_load::produce(std::uint64_t seed) {
    std::mt19937_64 random{seed};
    client::producer sender{options_to(name_servers_)};
    if (!sender.start().ok())
        return;
    // Sends made before their topic's route is known may be overtaken by later ones, in the client.
    for (const auto& topic : book_.topics())
        while (!stopping_ && !sender.queues(topic).ok())
            std::this_thread::sleep_for(pause);
    const auto me = book_.new_producer();
    while (!stopping_) {
        const auto& topic = book_.topics()[random() % book_.topics().size()];
        for (auto count = 1 + random() % 8; count > 0; --count) {
            const auto name = book_.new_message(me);
            sender.send_async(
                {.topic = topic,
                 .body = crash::make_body(name, random() % 1'500),
                 .keys = "k" + std::to_string(name.number)},
                [place = random()](auto queues, const auto&) { return place % queues.size(); },
                [this, topic, name](const client::send_result& answer) {
                    book_.answered(topic, {&name, 1}, answer);
                    if (answer.ok())
                        answered_ok();
                });
        }
        std::this_thread::sleep_for(pause);
    }
    sender.shutdown();
}

void group_load::consume(std::uint64_t seed) {
    std::mt19937_64 random{seed};
    while (!stopping_) {
        std::this_thread::sleep_for(pause);
        const auto leader = leader_();
        if (leader.port == 0)
            continue;
        wire_client client{leader, 1'000ms};
        for (bool goes_on = true; goes_on && !stopping_;) {
            const queue_place queue{
                book_.topics()[random() % book_.topics().size()],
                static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(book_.queues()))};
            goes_on = crash::consume_some(client, book_, queue) == crash::consumed::committed;
            std::this_thread::sleep_for(pause);
        }
    }
}

} // namespace holdfast::chaos
