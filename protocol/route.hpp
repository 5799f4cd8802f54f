// Route and cluster bodies (protocol reference 3.1): the answers to 105 and 106.
//
// Written in the one form that every client reads: standard JSON, quoted broker ids, no whitespace, no `\/`
// (the Go client takes brokerAddrs apart as text, T10). Reading takes the classic form with unquoted numbers
// too.
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace holdfast::protocol {

// The addresses of one broker group by broker id; 0 is the one that takes sends.
struct broker_data {
    std::string cluster{};
    std::string broker_name{};
    std::map<std::int64_t, std::string> addresses{};
    friend bool operator==(const broker_data&, const broker_data&) = default;
};

// A topic's queues on one broker group.
struct queue_data {
    std::string broker_name{};
    std::int32_t read_queue_count = 0;
    std::int32_t write_queue_count = 0;
    std::int32_t permission = 6;
    std::int32_t sys_flag = 0;
    friend bool operator==(const queue_data&, const queue_data&) = default;
};

struct topic_route {
    std::string order_conf{}; // "brokerA:4;brokerB:4"; empty = none
    std::vector<queue_data> queues{};
    std::vector<broker_data> brokers{};
    friend bool operator==(const topic_route&, const topic_route&) = default;
};

[[nodiscard]] std::string encode_route(const topic_route& route);
[[nodiscard]] result<topic_route> decode_route(byte_view body);

struct cluster_info {
    std::map<std::string, broker_data> brokers{};               // by broker name
    std::map<std::string, std::vector<std::string>> clusters{}; // cluster name -> broker names
    friend bool operator==(const cluster_info&, const cluster_info&) = default;
};

[[nodiscard]] std::string encode_cluster_info(const cluster_info& info);
[[nodiscard]] result<cluster_info> decode_cluster_info(byte_view body);

} // namespace holdfast::protocol
