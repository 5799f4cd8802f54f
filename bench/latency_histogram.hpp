// Counts of latencies by size, with a relative error under 1%: 128 linear steps in every power of two.
// Recording is an increment; 64 bits of nanoseconds fit.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace holdfast::bench {

class latency_histogram {
  public:
    void record(std::uint64_t latency_ns, std::uint64_t count = 1) {
        counts_[step_of(latency_ns)] += count;
        total_ += count;
        max_ns_ = std::max(max_ns_, latency_ns);
    }

    [[nodiscard]] std::uint64_t total() const { return total_; }
    [[nodiscard]] std::uint64_t max_ns() const { return max_ns_; }

    // The latency that `part` (0 to 1) of all did not exceed; 0 when there are none.
    [[nodiscard]] std::uint64_t quantile_ns(double part) const {
        const auto wanted = static_cast<std::uint64_t>(part * static_cast<double>(total_));
        std::uint64_t seen = 0;
        for (std::size_t step = 0; step < counts_.size(); ++step) {
            seen += counts_[step];
            if (counts_[step] != 0 && seen >= wanted)
                return std::min(last_of(step), max_ns_);
        }
        return max_ns_;
    }

  private:
    static constexpr unsigned step_bits = 7;
    static constexpr std::uint64_t steps = 1U << step_bits;

    static std::size_t step_of(std::uint64_t value) {
        if (value < steps)
            return value;
        const auto shift = static_cast<unsigned>(std::bit_width(value)) - step_bits - 1;
        return (shift + 1) * steps + ((value >> shift) - steps);
    }
    static std::uint64_t last_of(std::size_t step) {
        if (step < steps)
            return step;
        const auto shift = step / steps - 1;
        return ((steps + step % steps + 1) << shift) - 1;
    }

    std::array<std::uint64_t, (64 - step_bits + 1) * steps> counts_{};
    std::uint64_t total_ = 0;
    std::uint64_t max_ns_ = 0;
};

} // namespace holdfast::bench
