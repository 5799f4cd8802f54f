#include "storage/cold_reads.hpp"

#include <algorithm>

namespace holdfast::storage {

cold_reads::turn::turn(cold_reads& all, log_position first, log_position until) : all_(all) {
    std::unique_lock lock{all_.mutex_};
    while (all_.is_covered(first)) {
        has_waited_ = true;
        ++all_.waiting_;
        all_.ended_.wait(lock);
        --all_.waiting_;
    }
    mine_ = all_.ranges_.insert(all_.ranges_.end(), {first, until});
}

cold_reads::turn::~turn() {
    {
        const std::lock_guard lock{all_.mutex_};
        all_.ranges_.erase(mine_);
    }
    all_.ended_.notify_all();
}

std::size_t cold_reads::waiting() const {
    const std::lock_guard lock{mutex_};
    return waiting_;
}

bool cold_reads::is_covered(log_position position) const {
    return std::ranges::any_of(
        ranges_, [&](const turn::range& one) { return one.first <= position && position < one.until; });
}

} // namespace holdfast::storage
