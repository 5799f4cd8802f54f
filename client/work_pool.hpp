// The threads that call the listener.
//
// Owns what is pulled and not handed out yet, and the retries that wait for their time. A thread takes some
// messages of the oldest batch (retries that are due go first), makes handles, calls the listener; handles
// that the listener neither settled nor moved away retry when the call is over, also when it threw.
#pragma once

#include "client/delivery.hpp"
#include "client/process_queue.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <queue>
#include <span>
#include <thread>
#include <vector>

namespace holdfast::client {

class work_pool {
  public:
    using clock = std::chrono::steady_clock;
    using listener = std::function<void(std::span<delivery>)>;

    // At most `most_deliveries` a call.
    work_pool(std::size_t most_deliveries, listener call);
    ~work_pool();
    work_pool(const work_pool&) = delete;
    work_pool& operator=(const work_pool&) = delete;

    void start(unsigned threads);
    // Lets running calls return and forgets the rest. Not from a listener. Idempotent.
    void stop();

    void add(std::shared_ptr<pulled_batch> batch);
    // Message `index` again, not before `due`; it was retried `retries` times, this one counted. In order,
    // `turn` is the ticket it waits with.
    void add_later(std::shared_ptr<pulled_batch> batch, std::uint32_t index, std::uint32_t retries,
                   clock::time_point due, delivery_turn::ticket turn = 0);

  private:
    struct fresh_work {
        std::shared_ptr<pulled_batch> batch;
        std::uint32_t first = 0; // the ones before are handed out
    };
    struct retry {
        clock::time_point due;
        std::uint64_t number = 0; // keeps equal times in order
        std::shared_ptr<pulled_batch> batch;
        std::uint32_t index = 0;
        std::uint32_t retries = 0;
        delivery_turn::ticket turn = 0;
    };
    struct later {
        bool operator()(const retry& left, const retry& right) const {
            return left.due != right.due ? left.due > right.due : left.number > right.number;
        }
    };

    // Messages to make handles for.
    struct handout {
        std::shared_ptr<pulled_batch> batch;
        std::uint32_t first = 0;
        std::uint32_t count = 0;
        std::uint32_t retries = 0;
    };

    void run();
    [[nodiscard]] static bool may_be_handed_out(const retry& next);
    // Under the lock: what is to be done now; false when there is nothing.
    bool take(std::vector<handout>& to);
    void wait_for_work(std::unique_lock<std::mutex>& lock);

    const std::size_t most_deliveries_;
    const listener call_;
    std::vector<std::thread> threads_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<fresh_work> fresh_;
    std::priority_queue<retry, std::vector<retry>, later> retries_;
    std::uint64_t retry_number_ = 0;
    std::size_t idle_ = 0;
    bool stopped_ = false;
};

} // namespace holdfast::client
