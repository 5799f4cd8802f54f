// How many jobs readers have for one session. All connections share the readers' queues, so each of them may
// only have so much in there: its flood must neither pin memory without bound nor keep the others waiting.
//
// A job owns its slot, and however it ends, its slot is given back once.
#pragma once

#include "actors/limits.hpp"

#include <atomic>
#include <cstddef>
#include <memory>

namespace holdfast::actors {

class reader_load {
    struct jobs {
        std::atomic<std::size_t> count{0};
        std::atomic<bool> abandoned{false};
    };

  public:
    using slot = std::shared_ptr<const jobs>;

    reader_load() = default;
    reader_load(const reader_load&) = delete;
    reader_load& operator=(const reader_load&) = delete;
    // Nobody waits for the answers any more.
    ~reader_load() { jobs_->abandoned.store(true, std::memory_order_relaxed); }

    // Whoever takes no more then never waits for more than limits::max_reader_jobs.
    [[nodiscard]] bool is_full() const {
        return jobs_->count.load(std::memory_order_acquire) >= limits::max_reader_jobs;
    }
    [[nodiscard]] slot take() const {
        jobs_->count.fetch_add(1, std::memory_order_relaxed);
        return {jobs_.get(),
                [all = jobs_](const jobs*) { all->count.fetch_sub(1, std::memory_order_release); }};
    }
    // Whether the session of this job is gone.
    [[nodiscard]] static bool is_abandoned(const slot& of_job) {
        return of_job && of_job->abandoned.load(std::memory_order_relaxed);
    }

  private:
    std::shared_ptr<jobs> jobs_ = std::make_shared<jobs>();
};

} // namespace holdfast::actors
