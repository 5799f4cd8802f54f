// Clients that keep a broker busy and write down in the ledger what it promised: producers with many sends
// outstanding, a consumer that commits, somebody who makes topics.
#pragma once

#include "tests/crash/ledger.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace holdfast::crash {

struct load_options {
    std::uint64_t seed = 1;
    std::uint16_t broker_port = 0;
    std::string name_servers;
    std::uint32_t producers = 3;
    std::size_t in_flight = 200; // per producer
    std::size_t largest_body = 2'000;
};

// Makes the ledger's topics; what went wrong, if anything.
std::string make_topics(const server_address& broker, ledger& book);

enum class consumed : std::uint8_t { committed, refused, broker_is_gone };
// One pull as the ledger's group, and one commit behind what came; written down in the ledger.
consumed consume_some(wire_client& client, ledger& book, const queue_place& queue);

class load {
  public:
    load(ledger& book, load_options options);
    load(const load&) = delete;
    load& operator=(const load&) = delete;
    ~load() { stop(); }

    // Ends all threads. Sends in flight get their answer or their failure first.
    void stop();

    // Waits until so many sends are answered OK. False when `patience` is over first.
    [[nodiscard]] bool wait_for_sends(std::uint64_t answered_ok, std::chrono::milliseconds patience) const;

    // Waits until no send has been answered OK for `silence`. False when `patience` is over first.
    [[nodiscard]] bool wait_for_silence(std::chrono::milliseconds silence,
                                        std::chrono::milliseconds patience) const;

    // Sends answered otherwise than OK, by the broker's code; 0 = no answer.
    [[nodiscard]] std::map<int, std::uint64_t> refusals();
    [[nodiscard]] std::string last_remark(int code);
    [[nodiscard]] std::uint64_t sends_answered_ok() const { return ok_; }

  private:
    void produce(std::uint64_t seed);
    void consume(std::uint64_t seed);
    void note(const std::string& topic, std::span<const message_name> names,
              const client::send_result& answer);

    ledger& book_;
    const load_options options_;
    std::atomic<bool> stopping_{false};
    std::atomic<std::uint64_t> ok_{0};
    std::mutex mutex_;
    std::map<int, std::uint64_t> refusals_;
    std::map<int, std::string> remarks_;
    std::vector<std::thread> threads_;
};

} // namespace holdfast::crash
