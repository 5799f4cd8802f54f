// The threads that answer a broker's questions about open transactions (protocol reference 4.1).
//
// Owns the questions that wait. Their number is bounded, and a question about a half message that is waiting
// or being answered already is not taken twice: brokers ask again anyway.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "client/connection.hpp"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace holdfast::client {

struct transaction_check {
    std::shared_ptr<connection> from;
    queue_offset number;   // tranStateTableOffset
    log_position position; // commitLogOffset
    std::string transaction_id;
    std::string topic;
    shared_bytes record; // the half message, checked to be one stored record
};

class check_pool {
  public:
    using handler = std::function<void(const transaction_check&)>;

    check_pool(std::size_t most_waiting, handler run);
    ~check_pool();
    check_pool(const check_pool&) = delete;
    check_pool& operator=(const check_pool&) = delete;

    void start(unsigned threads);
    // Lets running handlers return and forgets the rest. Idempotent.
    void stop();
    // False when too many wait; true also for one that is known already.
    bool add(transaction_check check);

  private:
    using name = std::pair<const connection*, log_position>;

    void run_checks();

    const std::size_t most_waiting_;
    const handler run_;
    std::vector<std::thread> threads_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<transaction_check> waiting_;
    std::set<name> known_; // waiting or being answered
    bool stopped_ = false;
};

} // namespace holdfast::client
