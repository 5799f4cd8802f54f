// A pair of ordered consumers under fire: one sender of numbered messages and two members, each a process
// with a client id of its own. One of them dies or leaves now and then and comes back under the same id, so
// that its locks are its own again.
//
// Promised: every answered message comes; in each queue in the order in which they were sent; a message not
// before the one in front of it; and a queue is never in work at two members at once.
#pragma once

#include "client/producer.hpp"
#include "tests/crash/consumer_process.hpp"
#include "tests/crash/delivery_order.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

namespace holdfast::crash {

class ordered_load {
  public:
    static constexpr const char* topic = "ordered";
    static constexpr std::int32_t queues = 2;

    // The topic is there already.
    ordered_load(std::string name_servers, std::uint64_t seed);
    ordered_load(const ordered_load&) = delete;
    ordered_load& operator=(const ordered_load&) = delete;
    ~ordered_load() { stop(); }

    // Nothing is sent and nobody dies any more; waits for what is still to come. What is wrong; empty =
    // nothing. From the thread that keeps on living.
    std::string finish(std::chrono::milliseconds patience);
    // What happened, in words.
    [[nodiscard]] std::string text();

  private:
    void stop();
    void send(std::uint64_t seed);
    void keep_pair(std::uint64_t seed);
    void start(std::size_t member);
    void told(std::uint64_t process, const told_delivery& one);
    [[nodiscard]] bool all_came();
    std::string order_of_sending();

    const std::string name_servers_;
    std::atomic<bool> stopping_{false};
    std::atomic<std::uint64_t> kills_{0};
    std::array<std::unique_ptr<consumer_process>, 2> members_; // the pair thread's, then finish()'s
    std::uint64_t processes_ = 0;

    std::mutex mutex_;
    std::set<std::uint32_t> answered_;
    std::map<queue_place, std::map<std::int64_t, std::uint32_t>> came_; // number by offset
    std::set<std::uint32_t> numbers_that_came_;
    std::uint64_t deliveries_ = 0;
    delivery_order order_;
    std::string problem_; // the first

    std::thread sender_;
    std::thread keeper_;
};

} // namespace holdfast::crash
