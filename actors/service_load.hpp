// How much of one connection waits in the mailboxes of the services that all connections share. Nothing is
// read from a connection that has too much in there, so that its flood neither fills the memory nor keeps the
// others waiting for long.
//
// A job owns its share, and gives it back when it ends, on whatever thread; that resumes the reading.
#pragma once

#include "actors/limits.hpp"
#include "network/connection.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace holdfast::actors {

class service_load {
    struct waiting {
        std::atomic<std::size_t> bytes{0};
        std::atomic<bool> is_paused{false};

        void resume_if_drained(network::connection& from) {
            if (bytes.load() <= limits::max_service_bytes / 2 && is_paused.exchange(false))
                from.resume_reading();
        }
    };

  public:
    using share = std::shared_ptr<void>;

    // A job that keeps `bytes` of what `from` has sent. Pauses the connection when that is too much.
    [[nodiscard]] share take(std::shared_ptr<network::connection> from, std::size_t bytes) const {
        const auto weight = std::max(bytes, limits::service_job_bytes);
        auto& paused = *from;
        share taken{static_cast<void*>(nullptr), [all = waiting_, from = std::move(from), weight](void*) {
                        all->bytes -= weight;
                        all->resume_if_drained(*from);
                    }};
        if ((waiting_->bytes += weight) > limits::max_service_bytes) {
            paused.pause_reading();
            waiting_->is_paused = true;
            waiting_->resume_if_drained(paused); // what waited may have ended meanwhile
        }
        return taken;
    }

  private:
    std::shared_ptr<waiting> waiting_ = std::make_shared<waiting>();
};

} // namespace holdfast::actors
