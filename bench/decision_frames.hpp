// Frames that commit transactions, made from the answers to their halves: END_TRANSACTION, oneway, as every
// client sends it. One template in which only the two numbers of the half are changed.
#pragma once

#include "base/byte_buffer.hpp"
#include "bench/load_options.hpp"
#include "protocol/frame.hpp"

#include <string>

namespace holdfast::bench {

class decision_frames {
  public:
    explicit decision_frames(const load_options& options);

    // Appends the commit of the half that this is the answer to.
    void add(const protocol::frame_view& answer, byte_buffer& out);

  private:
    [[nodiscard]] std::size_t value_of(std::string_view header, std::string_view field) const;

    const protocol::serialize_type headers_;
    std::string frame_;
    std::size_t number_at_ = 0;
    std::size_t position_at_ = 0;
};

} // namespace holdfast::bench
