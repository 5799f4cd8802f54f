#include "client/check_pool.hpp"

namespace holdfast::client {

check_pool::check_pool(std::size_t most_waiting, handler run)
    : most_waiting_(most_waiting), run_(std::move(run)) {}

check_pool::~check_pool() {
    stop();
}

void check_pool::start(unsigned threads) {
    for (unsigned number = 0; number < threads; ++number)
        threads_.emplace_back([this] { run_checks(); });
}

void check_pool::stop() {
    std::deque<transaction_check> forgotten; // lets go of its connections outside of the lock
    {
        const std::lock_guard lock{mutex_};
        stopped_ = true;
        forgotten.swap(waiting_);
        changed_.notify_all();
    }
    for (std::thread& each : threads_)
        each.join();
    threads_.clear();
}

bool check_pool::add(transaction_check check) {
    const std::lock_guard lock{mutex_};
    const name which{check.from.get(), check.position};
    if (stopped_ || known_.contains(which))
        return true;
    if (waiting_.size() >= most_waiting_)
        return false;
    known_.insert(which);
    waiting_.push_back(std::move(check));
    changed_.notify_one();
    return true;
}

void check_pool::run_checks() {
    std::unique_lock lock{mutex_};
    while (!stopped_) {
        if (waiting_.empty()) {
            changed_.wait(lock);
            continue;
        }
        const transaction_check check = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        run_(check);
        lock.lock();
        known_.erase({check.from.get(), check.position});
    }
}

} // namespace holdfast::client
