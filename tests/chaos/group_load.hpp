// Plain sends with many outstanding and a consumer that commits, against a group whose leader changes. What
// was promised goes into the ledger of the crash tests.
#pragma once

#include "tests/crash/ledger.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace holdfast::chaos {

class group_load {
  public:
    // `leader` is asked for whenever the consumer lost its broker; port 0 = none yet.
    group_load(crash::ledger& book, std::uint64_t seed, std::string name_servers,
               std::function<crash::server_address()> leader);
    group_load(const group_load&) = delete;
    group_load& operator=(const group_load&) = delete;
    ~group_load() { stop(); }

    void stop();

    [[nodiscard]] std::uint64_t sends_answered_ok() const { return ok_; }
    // The longest time without an answer OK since the last call, the present one included.
    [[nodiscard]] std::chrono::milliseconds take_longest_gap();

  private:
    void produce(std::uint64_t seed);
    void consume(std::uint64_t seed);
    void answered_ok();

    crash::ledger& book_;
    const std::string name_servers_;
    const std::function<crash::server_address()> leader_;
    std::atomic<bool> stopping_{false};
    std::atomic<std::uint64_t> ok_{0};
    std::atomic<std::int64_t> last_ok_ms_;
    std::atomic<std::int64_t> longest_gap_ms_{0};
    std::vector<std::thread> threads_;
};

} // namespace holdfast::chaos
