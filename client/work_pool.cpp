#include "client/work_pool.hpp"

#include <algorithm>
#include <utility>

namespace holdfast::client {

work_pool::work_pool(std::size_t most_deliveries, listener call)
    : most_deliveries_(most_deliveries), call_(std::move(call)) {}

work_pool::~work_pool() {
    stop();
}

void work_pool::start(unsigned threads) {
    for (unsigned number = 0; number < threads; ++number)
        threads_.emplace_back([this] { run(); });
}

void work_pool::stop() {
    // Forgotten outside of the lock: the last share in a batch may be among them.
    decltype(fresh_) fresh;
    decltype(retries_) retries;
    {
        const std::lock_guard lock{mutex_};
        stopped_ = true;
        fresh.swap(fresh_);
        retries.swap(retries_);
        changed_.notify_all();
    }
    for (std::thread& each : threads_)
        each.join();
    threads_.clear();
}

void work_pool::add(std::shared_ptr<pulled_batch> batch) {
    const std::lock_guard lock{mutex_};
    if (stopped_)
        return;
    fresh_.push_back({std::move(batch)});
    if (idle_ != 0)
        changed_.notify_one();
}

void work_pool::add_later(std::shared_ptr<pulled_batch> batch, std::uint32_t index, std::uint32_t retries,
                          clock::time_point due, delivery_turn::ticket turn) {
    const std::lock_guard lock{mutex_};
    if (stopped_)
        return;
    const bool soonest = retries_.empty() || due < retries_.top().due;
    retries_.push({due, retry_number_++, std::move(batch), index, retries, turn});
    if (soonest)
        changed_.notify_one();
}

void work_pool::run() {
    std::vector<handout> taken;
    std::vector<delivery> deliveries;
    deliveries.reserve(most_deliveries_);
    std::unique_lock lock{mutex_};
    while (!stopped_) {
        if (!take(taken)) {
            wait_for_work(lock);
            continue;
        }
        if (idle_ != 0 && !fresh_.empty())
            changed_.notify_one();
        lock.unlock();
        for (const handout& each : taken) {
            each.batch->hand_out(each.count);
            for (std::uint32_t index = each.first; index < each.first + each.count; ++index)
                deliveries.emplace_back(each.batch, index, each.retries);
        }
        taken.clear();
        try {
            call_(deliveries);
        } catch (...) {
            // The listener's own failure: its deliveries are retried like any that it left alone.
        }
        deliveries.clear();
        lock.lock();
    }
}

bool work_pool::may_be_handed_out(const retry& next) {
    process_queue& owner = next.batch->owner();
    if (!owner.in_order())
        return owner.deliverable();
    if (owner.deliverable())
        return owner.turn().hand_out(next.turn);
    // Whoever makes it deliverable again gives the turn anew.
    owner.turn().withdraw(next.turn);
    return false;
}

bool work_pool::take(std::vector<handout>& to) {
    const auto now = retries_.empty() ? clock::time_point{} : clock::now();
    while (!retries_.empty() && retries_.top().due <= now && to.size() < most_deliveries_) {
        const retry next = retries_.top();
        retries_.pop();
        if (may_be_handed_out(next))
            to.push_back({next.batch, next.index, 1, next.retries});
    }
    while (to.empty() && !fresh_.empty()) {
        fresh_work& next = fresh_.front();
        const auto count = static_cast<std::uint32_t>(
            std::min<std::size_t>(most_deliveries_, next.batch->size() - next.first));
        if (!next.batch->owner().dropped()) {
            to.push_back({next.batch, next.first, count, 0});
            next.first += count;
        }
        if (to.empty() || next.first == next.batch->size())
            fresh_.pop_front();
    }
    return !to.empty();
}

void work_pool::wait_for_work(std::unique_lock<std::mutex>& lock) {
    ++idle_;
    if (retries_.empty()) {
        changed_.wait(lock);
    } else {
        const clock::time_point due = retries_.top().due; // a copy: the queue changes while we wait
        changed_.wait_until(lock, due);
    }
    --idle_;
}

} // namespace holdfast::client
