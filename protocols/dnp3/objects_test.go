package dnp3

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ics/weir/protocols"
)

// example is one object written by hand from the layout in Annex A, and what
// its fields are.
type example struct {
	group, variation uint8
	octets           string
	fields           string
}

// When is 2023-11-14T22:13:20Z, that is 1,700,000,000,000 ms, in octets.
const (
	when     = "00 68 E5 CF 8B 01"
	whenJSON = `"time":"2023-11-14T22:13:20.000Z"`
)

const (
	online   = `"flags":["ONLINE"]`
	success  = `"status":0,"status_name":"SUCCESS"`
	f32      = "00 00 C0 3F"             // 1.5
	f64      = "00 00 00 00 00 00 F8 3F" // 1.5
	minusTwo = "FE FF FF FF"
)

var examples = []example{
	{0, 242, "01 03 31 2E 30", `"data_type":1,"data_type_name":"VSTR","length":3,"value":"1.0"`},
	{0, 240, "02 02 00 08", `"data_type":2,"data_type_name":"UINT","length":2,"value":2048`},
	{0, 217, "03 01 FF", `"data_type":3,"data_type_name":"INT","length":1,"value":-1`},
	{0, 205, "04 04" + f32, `"data_type":4,"data_type_name":"FLT","length":4,"value":1.5`},
	{0, 204, "04 08" + f64, `"data_type":4,"data_type_name":"FLT","length":8,"value":1.5`},
	{0, 200, "05 02 AB CD", `"data_type":5,"data_type_name":"OSTR","length":2,"value":"abcd"`},
	{0, 100, "06 01 81", `"data_type":6,"data_type_name":"BSTR","length":1,"value":"81"`},
	{0, 198, "07 06" + when, `"data_type":7,"data_type_name":"TIME","length":6,"value":"2023-11-14T22:13:20.000Z"`},
	{0, 208, "08 02 C3 A9", `"data_type":8,"data_type_name":"UNCD","length":2,"value":"é"`},
	{0, 255, "FE 04 F2 00 F5 01", `"data_type":254,"data_type_name":"U8BS8LIST","length":4,"value":[{"variation":242,"writable":false},{"variation":245,"writable":true}]`},

	{1, 2, "81", online + `,"value":1`},
	{2, 1, "01", online + `,"value":0`},
	{2, 2, "A1" + when, `"flags":["ONLINE","CHATTER_FILTER"],"value":1,` + whenJSON},
	{2, 3, "81 E8 03", online + `,"value":1,"relative_ms":1000`},
	{3, 2, "41", online + `,"value":1,"state":"DETERMINED_OFF"`},
	{4, 1, "81", online + `,"value":2,"state":"DETERMINED_ON"`},
	{4, 2, "C1" + when, online + `,"value":3,"state":"INDETERMINATE",` + whenJSON},
	{4, 3, "01 0A 00", online + `,"value":0,"state":"INTERMEDIATE","relative_ms":10`},
	{10, 2, "81", online + `,"value":1`},
	{11, 1, "91", `"flags":["ONLINE","LOCAL_FORCED"],"value":1`},
	{11, 2, "01" + when, online + `,"value":0,` + whenJSON},
	{12, 1, "41 02 64 00 00 00 C8 00 00 00 00", `"code":65,"op_type":"PULSE_ON","tcc":"CLOSE","clear":false,"queue":false,"count":2,"on_time":100,"off_time":200,` + success},
	{12, 2, "A4 01 01 00 00 00 02 00 00 00 07", `"code":164,"op_type":"LATCH_OFF","tcc":"TRIP","clear":true,"queue":false,"count":1,"on_time":1,"off_time":2,"status":7,"status_name":"LOCAL"`},
	{13, 1, "84", `"status":4,"status_name":"NOT_SUPPORTED","value":1`},
	{13, 2, "00" + when, success + `,"value":0,` + whenJSON},
	{20, 1, "01 78 56 34 12", online + `,"value":305419896`},
	{20, 2, "21 34 12", `"flags":["ONLINE","ROLLOVER"],"value":4660`},
	{20, 3, "01 78 56 34 12", online + `,"value":305419896`},
	{20, 4, "01 34 12", online + `,"value":4660`},
	{20, 5, "78 56 34 12", `"value":305419896`},
	{20, 6, "34 12", `"value":4660`},
	{20, 7, "78 56 34 12", `"value":305419896`},
	{20, 8, "34 12", `"value":4660`},
	{21, 1, "01 78 56 34 12", online + `,"value":305419896`},
	{21, 2, "41 34 12", `"flags":["ONLINE","DISCONTINUITY"],"value":4660`},
	{21, 3, "01 78 56 34 12", online + `,"value":305419896`},
	{21, 4, "01 34 12", online + `,"value":4660`},
	{21, 5, "01 78 56 34 12" + when, online + `,"value":305419896,` + whenJSON},
	{21, 6, "01 34 12" + when, online + `,"value":4660,` + whenJSON},
	{21, 7, "01 78 56 34 12" + when, online + `,"value":305419896,` + whenJSON},
	{21, 8, "01 34 12" + when, online + `,"value":4660,` + whenJSON},
	{21, 9, "78 56 34 12", `"value":305419896`},
	{21, 10, "34 12", `"value":4660`},
	{21, 11, "78 56 34 12", `"value":305419896`},
	{21, 12, "34 12", `"value":4660`},
	{22, 1, "01 78 56 34 12", online + `,"value":305419896`},
	{22, 2, "01 34 12", online + `,"value":4660`},
	{22, 3, "01 78 56 34 12", online + `,"value":305419896`},
	{22, 4, "01 34 12", online + `,"value":4660`},
	{22, 5, "01 78 56 34 12" + when, online + `,"value":305419896,` + whenJSON},
	{22, 6, "01 34 12" + when, online + `,"value":4660,` + whenJSON},
	{22, 7, "01 78 56 34 12" + when, online + `,"value":305419896,` + whenJSON},
	{22, 8, "01 34 12" + when, online + `,"value":4660,` + whenJSON},
	{23, 1, "01 78 56 34 12", online + `,"value":305419896`},
	{23, 2, "01 34 12", online + `,"value":4660`},
	{23, 3, "01 78 56 34 12", online + `,"value":305419896`},
	{23, 4, "01 34 12", online + `,"value":4660`},
	{23, 5, "01 78 56 34 12" + when, online + `,"value":305419896,` + whenJSON},
	{23, 6, "01 34 12" + when, online + `,"value":4660,` + whenJSON},
	{23, 7, "01 78 56 34 12" + when, online + `,"value":305419896,` + whenJSON},
	{23, 8, "01 34 12" + when, online + `,"value":4660,` + whenJSON},
	{30, 1, "01" + minusTwo, online + `,"value":-2`},
	{30, 2, "21 FE FF", `"flags":["ONLINE","OVER_RANGE"],"value":-2`},
	{30, 3, minusTwo, `"value":-2`},
	{30, 4, "FE FF", `"value":-2`},
	{30, 5, "41" + f32, `"flags":["ONLINE","REFERENCE_ERR"],"value":1.5`},
	{30, 6, "01" + f64, online + `,"value":1.5`},
	{31, 1, "01" + minusTwo, online + `,"value":-2`},
	{31, 2, "01 FE FF", online + `,"value":-2`},
	{31, 3, "01" + minusTwo + when, online + `,"value":-2,` + whenJSON},
	{31, 4, "01 FE FF" + when, online + `,"value":-2,` + whenJSON},
	{31, 5, minusTwo, `"value":-2`},
	{31, 6, "FE FF", `"value":-2`},
	{31, 7, "01" + f32, online + `,"value":1.5`},
	{31, 8, "01" + f64, online + `,"value":1.5`},
	{32, 1, "01" + minusTwo, online + `,"value":-2`},
	{32, 2, "01 FE FF", online + `,"value":-2`},
	{32, 3, "01" + minusTwo + when, online + `,"value":-2,` + whenJSON},
	{32, 4, "01 FE FF" + when, online + `,"value":-2,` + whenJSON},
	{32, 5, "01" + f32, online + `,"value":1.5`},
	{32, 6, "01" + f64, online + `,"value":1.5`},
	{32, 7, "01" + f32 + when, online + `,"value":1.5,` + whenJSON},
	{32, 8, "01" + f64 + when, online + `,"value":1.5,` + whenJSON},
	{33, 1, "01" + minusTwo, online + `,"value":-2`},
	{33, 2, "01 FE FF", online + `,"value":-2`},
	{33, 3, "01" + minusTwo + when, online + `,"value":-2,` + whenJSON},
	{33, 4, "01 FE FF" + when, online + `,"value":-2,` + whenJSON},
	{33, 5, "01" + f32, online + `,"value":1.5`},
	{33, 6, "01" + f64, online + `,"value":1.5`},
	{33, 7, "01" + f32 + when, online + `,"value":1.5,` + whenJSON},
	{33, 8, "01" + f64 + when, online + `,"value":1.5,` + whenJSON},
	{34, 1, "34 12", `"value":4660`},
	{34, 2, "78 56 34 12", `"value":305419896`},
	{34, 3, f32, `"value":1.5`},
	{40, 1, "01" + minusTwo, online + `,"value":-2`},
	{40, 2, "01 FE FF", online + `,"value":-2`},
	{40, 3, "01" + f32, online + `,"value":1.5`},
	{40, 4, "01" + f64, online + `,"value":1.5`},
	{41, 1, minusTwo + "00", `"value":-2,` + success},
	{41, 2, "FE FF 0C", `"value":-2,"status":12,"status_name":"OUT_OF_RANGE"`},
	{41, 3, f32 + "00", `"value":1.5,` + success},
	{41, 4, f64 + "7F", `"value":1.5,"status":127,"status_name":"UNDEFINED"`},
	{42, 1, "01" + minusTwo, online + `,"value":-2`},
	{42, 2, "01 FE FF", online + `,"value":-2`},
	{42, 3, "01" + minusTwo + when, online + `,"value":-2,` + whenJSON},
	{42, 4, "01 FE FF" + when, online + `,"value":-2,` + whenJSON},
	{42, 5, "01" + f32, online + `,"value":1.5`},
	{42, 6, "01" + f64, online + `,"value":1.5`},
	{42, 7, "01" + f32 + when, online + `,"value":1.5,` + whenJSON},
	{42, 8, "01" + f64 + when, online + `,"value":1.5,` + whenJSON},
	{43, 1, "00" + minusTwo, success + `,"value":-2`},
	{43, 2, "00 FE FF", success + `,"value":-2`},
	{43, 3, "00" + minusTwo + when, success + `,"value":-2,` + whenJSON},
	{43, 4, "00 FE FF" + when, success + `,"value":-2,` + whenJSON},
	{43, 5, "00" + f32, success + `,"value":1.5`},
	{43, 6, "00" + f64, success + `,"value":1.5`},
	{43, 7, "00" + f32 + when, success + `,"value":1.5,` + whenJSON},
	{43, 8, "09" + f64 + when, `"status":9,"status_name":"NOT_AUTHORIZED","value":1.5,` + whenJSON},
	{50, 1, when, whenJSON},
	{50, 2, when + "10 27 00 00", whenJSON + `,"interval_ms":10000`},
	{50, 3, when, whenJSON},
	{50, 4, when + "0F 00 00 00 03", whenJSON + `,"interval_count":15,"interval_units":3,"interval_units_name":"MINUTES"`},
	{51, 1, when, whenJSON + `,"synchronised":true`},
	{51, 2, when, whenJSON + `,"synchronised":false`},
	{52, 1, "05 00", `"delay_s":5`},
	{52, 2, "2C 01", `"delay_ms":300`},
	{70, 1, "02 00 01 00 01 00 02 00 0A 00 00 00" + when + "FF 01 01 00 00 00 02 00 00 00 03 00 00 00 01 00 61 62 03 00 01 02 03",
		`"name_length":2,"file_type":1,"attributes":0,"start_record":1,"end_record":2,"file_size":10,"created":"2023-11-14T22:13:20.000Z",` +
			`"permissions":511,"file_id":1,"owner_id":2,"group_id":3,"file_function":1,"status":0,"status_name":"SUCCESS","file_name":"ab","data_length":3,"data":"010203"`},
	{70, 2, "0C 00 02 00 0E 00 03 00 00 00 00 00 6D 65 70 77 64",
		`"user_name_offset":12,"user_name_length":2,"password_offset":14,"password_length":3,"authentication_key":0,"user_name":"me","password":"pwd"`},
	{70, 3, "1A 00 03 00" + when + "24 01 00 00 00 00 00 01 00 00 02 00 00 04 07 00 61 2F 62",
		`"file_name_offset":26,"file_name_length":3,"created":"2023-11-14T22:13:20.000Z","permissions":292,"authentication_key":0,"file_size":256,` +
			`"mode":2,"mode_name":"WRITE","max_block_size":1024,"request_id":7,"file_name":"a/b"`},
	{70, 4, "78 56 34 12 00 01 00 00 00 04 07 00 03 6E 6F", `"file_handle":305419896,"file_size":256,"max_block_size":1024,"request_id":7,"status":3,"status_name":"FILE_NOT_FOUND","text":"no"`},
	{70, 5, "78 56 34 12 02 00 00 80 AA BB", `"file_handle":305419896,"block":2,"last":true,"data":"aabb"`},
	{70, 6, "78 56 34 12 02 00 00 00 00", `"file_handle":305419896,"block":2,"last":false,"status":0,"status_name":"SUCCESS","text":""`},
	{70, 7, "14 00 02 00 00 00 00 01 00 00" + when + "24 01 07 00 61 62",
		`"file_name_offset":20,"file_name_length":2,"file_type":0,"file_type_name":"DIRECTORY","file_size":256,"created":"2023-11-14T22:13:20.000Z","permissions":292,"request_id":7,"file_name":"ab"`},
	{70, 8, "63 66 67", `"file_specification":"cfg"`},
	{81, 1, "B2 02 00", `"fill_percent":50,"overflow":true,"buffer_group":2,"buffer_variation":0`},
	{82, 1, "01 02", `"content":"0102"`},
	{83, 1, "41 42 43 44 01 00 02 00 AA BB", `"vendor":1145258561,"object_id":1,"length":2,"data":"aabb"`},
	{83, 2, "41 42 43 44 01 00 AA", `"vendor":1145258561,"object_id":1,"content":"aa"`},
	{85, 1, "13 02 00 00 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F", `"elements":[{"descriptor":2,"descriptor_name":"UUID","data_type":"NONE","max_length":0,"ancillary":"000102030405060708090a0b0c0d0e0f"}]`},
	{86, 1, "04 01 02 01 07 06 05 04 04 76 31 32", `"elements":[{"descriptor":1,"descriptor_name":"ID","data_type":"UINT","max_length":1,"ancillary":7},` +
		`{"descriptor":5,"descriptor_name":"DAEL","data_type":"FLT","max_length":4,"ancillary":"v12"}]`},
	{86, 2, "0B", `"readable":true,"writable":true,"static":false,"event":true,"defined_by_master":false`},
	{86, 3, "1E 01", `"content":"1e01"`},
	{87, 1, "01 07 06" + when, `"elements":["07","0068e5cf8b01"]`},
	{88, 1, "01 07 00", `"elements":["07",""]`},
	{90, 1, "6D 61 69 6E", `"application":"main"`},
	{91, 1, "E8 03 00 00 00", `"delay_ms":1000,"content":"00"`},
	{100, 1, f32, `"value":1.5`},
	{100, 2, f64, `"value":1.5`},
	{100, 3, "00 01 02 03 04 05 06 07 08 09", `"octets":"00010203040506070809"`},
	{101, 1, "34 12", `"value":1234`},
	{101, 2, "78 56 34 12", `"value":12345678`},
	{101, 3, "16 15 14 13 12 11 10 09", `"value":910111213141516`},
	{102, 1, "FF", `"value":255`},
	{110, 3, "61 62 63", `"octets":"616263"`},
	{111, 1, "FF", `"octets":"ff"`},
	{112, 2, "6C 73", `"octets":"6c73"`},
	{113, 2, "6F 6B", `"octets":"6f6b"`},
	{114, 1, "61 62", `"octets":"6162"`},
	{115, 1, "61", `"octets":"61"`},
	{120, 1, "01 00 00 00 02 00 04 01 AA BB CC DD", `"challenge_sequence":1,"user":2,"mac_algorithm":4,"mac_algorithm_name":"HMAC_SHA256_16","reason":1,"reason_name":"CRITICAL","challenge":"aabbccdd"`},
	{120, 2, "01 00 00 00 02 00 AA BB", `"challenge_sequence":1,"user":2,"mac":"aabb"`},
	{120, 3, "01 00 00 00 02 00", `"challenge_sequence":1,"user":2`},
	{120, 4, "02 00", `"user":2`},
	{120, 5, "01 00 00 00 02 00 01 01 04 02 00 AA BB CC", `"key_change_sequence":1,"user":2,"key_wrap_algorithm":1,"key_wrap_algorithm_name":"AES_128","key_status":1,"key_status_name":"OK",` +
		`"mac_algorithm":4,"mac_algorithm_name":"HMAC_SHA256_16","challenge_length":2,"challenge":"aabb","mac":"cc"`},
	{120, 6, "01 00 00 00 02 00 AA", `"key_change_sequence":1,"user":2,"wrapped_key":"aa"`},
	{120, 7, "01 00 00 00 02 00 03 00 01" + when + "6E 6F", `"sequence":1,"user":2,"association":3,"error":1,"error_name":"AUTHENTICATION_FAILED",` + whenJSON + `,"text":"no"`},
	{120, 8, "43 01 30 82", `"key_change_method":67,"key_change_method_name":"ASYMMETRIC_RSA_1024_DSA_SHA1","certificate_type":1,"certificate_type_name":"ID_CERTIFICATE","certificate":"3082"`},
	{120, 9, "AA BB", `"mac":"aabb"`},
	{120, 10, "03 01 01 00 00 00 02 00 1E 00 02 00 01 00 03 00 6D 65 AA 01 02 03", `"key_change_method":3,"key_change_method_name":"SYMMETRIC_AES_128_SHA1","operation":1,"operation_name":"ADD",` +
		`"status_change_sequence":1,"user_role":2,"role_expiry_days":30,"user_name_length":2,"public_key_length":1,"certification_length":3,"user_name":"me","public_key":"aa","certification":"010203"`},
	{120, 11, "03 02 00 01 00 6D 65 AA", `"key_change_method":3,"key_change_method_name":"SYMMETRIC_AES_128_SHA1","user_name_length":2,"challenge_length":1,"user_name":"me","challenge":"aa"`},
	{120, 12, "01 00 00 00 02 00 01 00 AA", `"key_change_sequence":1,"user":2,"challenge_length":1,"challenge":"aa"`},
	{120, 13, "01 00 00 00 02 00 01 00 AA", `"key_change_sequence":1,"user":2,"update_key_length":1,"update_key":"aa"`},
	{120, 14, "AA", `"signature":"aa"`},
	{120, 15, "AA", `"mac":"aa"`},
	{121, 1, "01 02 00 05 00 00 00", online + `,"association":2,"value":5`},
	{122, 1, "01 02 00 05 00 00 00", online + `,"association":2,"value":5`},
	{122, 2, "01 02 00 05 00 00 00" + when, online + `,"association":2,"value":5,` + whenJSON},
}

// packedExamples are objects of one and two bits: octets and values from index
// 3 on.
var packedExamples = []struct {
	group, variation uint8
	octets           string
	values           []int
}{
	{1, 1, "A5 01", []int{1, 0, 1, 0, 0, 1, 0, 1, 1}},
	{3, 1, "E4 02", []int{0, 1, 2, 3, 2}},
	{10, 1, "03", []int{1, 1, 0}},
	{12, 3, "05", []int{1, 0, 1}},
	{80, 1, "80", []int{0, 0, 0, 0, 0, 0, 0, 1}},
}

// TestEveryVariationHasAnExample keeps the examples complete.
func TestEveryVariationHasAnExample(t *testing.T) {
	have := make(map[[2]uint8]bool)
	groupsSeen := make(map[uint8]bool)
	for _, e := range examples {
		have[[2]uint8{e.group, e.variation}] = true
		groupsSeen[e.group] = true
	}
	for _, e := range packedExamples {
		have[[2]uint8{e.group, e.variation}] = true
	}
	for i := range groups {
		g := &groups[i]
		if g.any != nil && !groupsSeen[g.number] {
			t.Errorf("group %d has no example", g.number)
		}
		for j := range g.variations {
			v := &g.variations[j]
			if !v.empty() && !have[[2]uint8{g.number, v.number}] {
				t.Errorf("group %d variation %d has no example", g.number, v.number)
			}
		}
	}
}

// handHeader writes an object header by 4.2.2: group, variation,
// qualifier and a range of one object with the given index.
func handHeader(group, variation, qualifier uint8, index int) []byte {
	p := []byte{group, variation, qualifier}
	le := func(v, size int) {
		for range size {
			p = append(p, byte(v))
			v >>= 8
		}
	}
	switch qualifier & 0x0F {
	case 0, 3:
		le(index, 1)
		le(index, 1)
	case 1, 4:
		le(index, 2)
		le(index, 2)
	case 2, 5:
		le(index, 4)
		le(index, 4)
	case 7, 0xB:
		le(1, 1)
	case 8:
		le(1, 2)
	case 9:
		le(1, 4)
	}
	return p
}

// handPrefix writes what stands before an object.
func handPrefix(qualifier uint8, index, size int) []byte {
	switch qualifier >> 4 {
	case 1:
		return []byte{byte(index)}
	case 2:
		return []byte{byte(index), byte(index >> 8)}
	case 3:
		return []byte{byte(index), byte(index >> 8), 0, 0}
	case 4:
		return []byte{byte(size)}
	case 5:
		return []byte{byte(size), byte(size >> 8)}
	case 6:
		return []byte{byte(size), byte(size >> 8), 0, 0}
	}
	return nil
}

// standardQualifiers are all codes that the standard lets stand before objects.
var standardQualifiers = []uint8{
	0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x07, 0x08, 0x09,
	0x17, 0x18, 0x19, 0x27, 0x28, 0x29, 0x37, 0x38, 0x39, 0x4B, 0x5B, 0x6B,
}

// decodeBody decodes an application fragment that a master (function up to 33)
// or outstation sends, alone.
func decodeBody(t testing.TB, function uint8, objects []byte) *seen {
	t.Helper()
	body := []byte{0xC0, function}
	header := LinkHeader{Dir: true, Prm: true, Function: LinkUnconfirmedUserData, Source: 1, Destination: 10}
	direction := protocols.Direction(0)
	if isResponse(function) {
		body = append(body, 0, 0)
		header.Dir, header.Source, header.Destination = false, 10, 1
		direction = 1
	}
	body = append(body, objects...)
	c := conversation
	c.OpeningSeen = false // nothing is known of what came before
	var r recorder
	d := NewDecoder(c, r.emit, nil)
	var seq uint8
	d.Stream(direction, protocols.Stamp{Frame: 1}, AppendSegments(nil, header, &seq, body))
	return r.only(t)
}

// TestEveryObjectIsDecodedWithEveryQualifier decodes each example behind each
// qualifier, twice in a row where it is counted, so that an object that takes
// too much or too little shows.
func TestEveryObjectIsDecodedWithEveryQualifier(t *testing.T) {
	for _, e := range examples {
		object := unhex(t, e.octets)
		for _, q := range standardQualifiers {
			const index = 5
			p := handHeader(e.group, e.variation, q, index)
			p = append(p, handPrefix(q, index, len(object))...)
			p = append(p, object...)
			_, v := lookup(e.group, e.variation)
			if bounded := v.size > 0 || q>>4 >= 4 || v.layout[len(v.layout)-1].enc != encOctets && v.layout[len(v.layout)-1].enc != encText &&
				v.layout[len(v.layout)-1].enc != encElements && v.layout[len(v.layout)-1].enc != encDescriptors; bounded {
				p = append(p, 1, 2, 0, 9, 9, 0x81) // another header with an object of its own
			}
			ev := decodeBody(t, FunctionResponse, p)
			want := `"points":[{`
			switch {
			case q>>4 >= 4:
				want += fmt.Sprintf(`"index":0,"size":%d,`, len(object))
			case q>>4 == 0 && q&0x0F >= 7:
				want += `"index":0,`
			default:
				want += `"index":5,`
			}
			want += e.fields + "}]"
			if !strings.Contains(ev.json, want) {
				t.Errorf("group %d variation %d qualifier %02X: %s\ndoes not hold %s", e.group, e.variation, q, ev.json, want)
			}
			for _, k := range ev.Violations {
				if k.Kind != RelativeTime && k.Kind != ControlStatus {
					t.Errorf("group %d variation %d qualifier %02X: violation %s(%d, %d)", e.group, e.variation, q, k.Kind.Name, k.Observed, k.Expected)
				}
			}
		}
	}
}

func TestPackedObjectsAreDecodedBitByBit(t *testing.T) {
	for _, e := range packedExamples {
		for _, q := range []uint8{0x00, 0x01, 0x02} {
			p := []byte{e.group, e.variation, q}
			stop := 3 + len(e.values) - 1
			size := 1 << q
			for _, v := range []int{3, stop} {
				for range size {
					p = append(p, byte(v))
					v >>= 8
				}
			}
			p = append(p, unhex(t, e.octets)...)
			p = append(p, 1, 2, 0, 9, 9, 0x81)
			ev := decodeBody(t, FunctionResponse, p)
			var points []string
			for i, v := range e.values {
				s := fmt.Sprintf(`{"index":%d,"value":%d`, 3+i, v)
				if e.group == 3 {
					s += fmt.Sprintf(`,"state":"%s"`, []string{"INTERMEDIATE", "DETERMINED_OFF", "DETERMINED_ON", "INDETERMINATE"}[v])
				}
				points = append(points, s+"}")
			}
			want := `"points":[` + strings.Join(points, ",") + "]"
			if !strings.Contains(ev.json, want) || !strings.Contains(ev.json, `{"index":9,"flags":["ONLINE"],"value":1}`) {
				t.Errorf("group %d variation %d qualifier %02X: %s\ndoes not hold %s", e.group, e.variation, q, ev.json, want)
			}
			if len(ev.Violations) > 0 {
				t.Errorf("group %d variation %d qualifier %02X: violations %v", e.group, e.variation, q, ev.kinds)
			}
			if e.group == 12 {
				continue // a mask is commands to the points whose bits are set
			}
			for i, v := range e.values {
				if p := ev.Points[i]; p.Index != uint32(3+i) || p.Value != float64(v) {
					t.Errorf("group %d: point %d is index %d value %v, want %d and %d", e.group, i, p.Index, p.Value, 3+i, v)
				}
			}
		}
	}
}

// TestPointsCarryWhatObjectsHold checks the points that detectors read.
func TestPointsCarryWhatObjectsHold(t *testing.T) {
	const at = 1_700_000_000_000 * nanosecondsPerMillisecond
	for _, c := range []struct {
		name     string
		function uint8
		octets   string
		want     []protocols.Point
	}{
		{"static binary", 129, "01 02 00 04 04 81",
			[]protocols.Point{{Kind: protocols.KindBinaryInput, Access: protocols.AccessReport, Index: 4, Value: 1, Flags: 0x81, Variation: 2, Has: protocols.HasValue | protocols.HasFlags}}},
		{"analog event with time", 129, "20 07 28 01 00 07 01 01 00 00 20 C0 00 68 E5 CF 8B 01",
			[]protocols.Point{{Kind: protocols.KindAnalogInput, Access: protocols.AccessReport, Index: 263, Value: -2.5, Flags: 1, Variation: 7, Time: at,
				Has: protocols.HasValue | protocols.HasFlags | protocols.HasTime | protocols.IsEvent}}},
		{"event with time relative to a synchronised one", 129, "33 01 07 01 00 68 E5 CF 8B 01 02 03 17 01 02 81 E8 03",
			[]protocols.Point{
				{Kind: protocols.KindTime, Access: protocols.AccessReport, Variation: 1, Time: at, Has: protocols.HasTime},
				{Kind: protocols.KindBinaryInput, Access: protocols.AccessReport, Index: 2, Value: 1, Flags: 0x81, Variation: 3, Time: at + 1e9,
					Has: protocols.HasValue | protocols.HasFlags | protocols.HasTime | protocols.IsEvent}}},
		{"event with time relative to an unsynchronised one", 129, "33 02 07 01 00 68 E5 CF 8B 01 04 03 17 01 02 81 01 00",
			[]protocols.Point{
				{Kind: protocols.KindTime, Access: protocols.AccessReport, Variation: 2, Time: at, Has: protocols.HasTime | protocols.TimeUnsynchronised},
				{Kind: protocols.KindDoubleBitInput, Access: protocols.AccessReport, Index: 2, Value: 2, Flags: 0x81, Variation: 3, Time: at + 1e6,
					Has: protocols.HasValue | protocols.HasFlags | protocols.HasTime | protocols.IsEvent | protocols.TimeUnsynchronised}}},
		{"relay command", 5, "0C 01 28 01 00 09 00 41 01 64 00 00 00 00 00 00 00 00",
			[]protocols.Point{{Kind: protocols.KindBinaryOutput, Access: protocols.AccessOperate, Index: 9, Value: 0x41, Variation: 1, Has: protocols.HasValue}}},
		{"refused relay command", 129, "0C 01 17 01 09 41 01 64 00 00 00 00 00 00 00 04",
			[]protocols.Point{{Kind: protocols.KindBinaryOutput, Access: protocols.AccessEcho, Index: 9, Value: 0x41, Variation: 1, Status: 4, Has: protocols.HasValue | protocols.HasStatus}}},
		{"selected analog output", 3, "29 03 28 01 00 09 00 00 00 20 C0 00",
			[]protocols.Point{{Kind: protocols.KindAnalogOutput, Access: protocols.AccessSelect, Index: 9, Value: -2.5, Variation: 3, Has: protocols.HasValue}}},
		{"pattern: one command a set bit", 5, "0C 02 07 01 03 01 64 00 00 00 00 00 00 00 00 0C 03 00 08 0A 05",
			[]protocols.Point{
				{Kind: protocols.KindBinaryOutput, Access: protocols.AccessOperate, Index: 8, Value: 3, Variation: 3, Has: protocols.HasValue},
				{Kind: protocols.KindBinaryOutput, Access: protocols.AccessOperate, Index: 10, Value: 3, Variation: 3, Has: protocols.HasValue}}},
		{"deadband written", 2, "22 01 00 02 02 0A 00",
			[]protocols.Point{{Kind: protocols.KindAnalogDeadband, Access: protocols.AccessWrite, Index: 2, Value: 10, Variation: 1, Has: protocols.HasValue}}},
		{"restart indication cleared", 2, "50 01 00 07 07 00",
			[]protocols.Point{{Kind: protocols.KindIIN, Access: protocols.AccessWrite, Index: 7, Variation: 1, Has: protocols.HasValue}}},
		{"time written", 2, "32 01 07 01 00 68 E5 CF 8B 01",
			[]protocols.Point{{Kind: protocols.KindTime, Access: protocols.AccessWrite, Variation: 1, Time: at, Has: protocols.HasTime}}},
		{"delay in seconds", 129, "34 01 07 01 02 00",
			[]protocols.Point{{Kind: protocols.KindTime, Access: protocols.AccessReport, Value: 2000, Variation: 1, Has: protocols.HasValue}}},
		{"command event", 129, "0D 01 17 01 03 84",
			[]protocols.Point{{Kind: protocols.KindBinaryOutput, Access: protocols.AccessReport, Index: 3, Value: 1, Status: 4, Variation: 1, Has: protocols.HasValue | protocols.HasStatus | protocols.IsEvent}}},
		{"octet string", 129, "6E 03 00 05 05 61 62 63",
			[]protocols.Point{{Kind: protocols.KindOctetString, Access: protocols.AccessReport, Index: 5, Variation: 3, Bytes: []byte("abc")}}},
		{"aggressive mode", 5, "78 03 07 01 01 00 00 00 02 00 0C 01 28 01 00 09 00 41 01 64 00 00 00 00 00 00 00 00 78 09 5B 01 02 00 AA BB",
			[]protocols.Point{
				{Kind: protocols.KindAuthentication, Access: protocols.AccessOperate, Index: 2, Value: 1, Variation: 3, Has: protocols.HasValue, Bytes: []byte{1, 0, 0, 0, 2, 0}},
				{Kind: protocols.KindBinaryOutput, Access: protocols.AccessOperate, Index: 9, Value: 0x41, Variation: 1, Has: protocols.HasValue},
				{Kind: protocols.KindAuthentication, Access: protocols.AccessOperate, Variation: 9, Bytes: []byte{0xAA, 0xBB}}}},
		{"security statistic", 129, "79 01 00 03 03 01 02 00 05 00 00 00",
			[]protocols.Point{{Kind: protocols.KindSecurityStatistic, Access: protocols.AccessReport, Index: 3, Value: 5, Flags: 1, Variation: 1, Has: protocols.HasValue | protocols.HasFlags}}},
		{"a time past the year 2262 stays the last moment", 129, "32 01 07 01 FF FF FF FF FF FF",
			[]protocols.Point{{Kind: protocols.KindTime, Access: protocols.AccessReport, Variation: 1, Time: math.MaxInt64, Has: protocols.HasTime}}},
	} {
		ev := decodeBody(t, c.function, unhex(t, c.octets))
		for i := range ev.Points {
			if len(ev.Points[i].Bytes) == 0 {
				ev.Points[i].Bytes = nil
			}
		}
		if diff := cmp.Diff(c.want, ev.Points); diff != "" {
			t.Errorf("%s: points (-want +got)\n%s", c.name, diff)
		}
	}
}

// TestRangesNameWhatMessagesName checks the ranges that detectors read.
func TestRangesNameWhatMessagesName(t *testing.T) {
	for _, c := range []struct {
		name     string
		function uint8
		octets   string
		want     []protocols.Range
	}{
		{"read of a range", 1, "01 02 00 03 0A", []protocols.Range{{Kind: protocols.KindBinaryInput, Access: protocols.AccessRead, First: 3, Count: 8}}},
		{"read of all", 1, "1E 00 06", []protocols.Range{{Kind: protocols.KindAnalogInput, Access: protocols.AccessRead}}},
		{"read of single indexes", 1, "1E 00 17 03 01 02 09", []protocols.Range{
			{Kind: protocols.KindAnalogInput, Access: protocols.AccessRead, First: 1, Count: 2}, {Kind: protocols.KindAnalogInput, Access: protocols.AccessRead, First: 9, Count: 1}}},
		{"read of so many events", 1, "20 00 07 0A", []protocols.Range{{Kind: protocols.KindAnalogInput, Access: protocols.AccessRead}}},
		{"read of a class", 1, "3C 02 06", []protocols.Range{{Kind: protocols.KindClass, Access: protocols.AccessRead, First: 1}}},
		{"so much of a class", 1, "3C 04 07 05", []protocols.Range{{Kind: protocols.KindClass, Access: protocols.AccessRead, First: 3}}},
		{"read of the time", 1, "32 01 07 01", []protocols.Range{{Kind: protocols.KindTime, Access: protocols.AccessRead, Count: 1}}},
		{"class assigned", 22, "3C 03 06 01 00 06", []protocols.Range{
			{Kind: protocols.KindClass, Access: protocols.AccessAssign, First: 2}, {Kind: protocols.KindBinaryInput, Access: protocols.AccessAssign}}},
		{"freeze", 7, "14 00 06", []protocols.Range{{Kind: protocols.KindCounter, Access: protocols.AccessAssign}}},
		{"freeze at a time", 11, "32 02 07 01 00 68 E5 CF 8B 01 10 27 00 00 14 00 06", []protocols.Range{
			{Kind: protocols.KindTime, Access: protocols.AccessAssign, Count: 1}, {Kind: protocols.KindCounter, Access: protocols.AccessAssign}}},
		{"attribute of a set", 1, "00 FC 00 00 00", []protocols.Range{{Kind: protocols.KindAttribute, Access: protocols.AccessRead, First: 252, Count: 1}}},
		{"attribute of two sets", 1, "00 FC 00 00 01", []protocols.Range{
			{Kind: protocols.KindAttribute, Access: protocols.AccessRead, First: 252, Count: 1}, {Kind: protocols.KindAttribute, Access: protocols.AccessRead, First: 256 + 252, Count: 1}}},
		{"report of a range", 129, "1E 04 01 00 01 01 01 05 00 06 00", []protocols.Range{{Kind: protocols.KindAnalogInput, Access: protocols.AccessReport, First: 256, Count: 2}}},
		{"commands to single outputs", 6, "0C 01 28 02 00 09 00 41 01 64 00 00 00 00 00 00 00 00 0A 00 41 01 64 00 00 00 00 00 00 00 00",
			[]protocols.Range{{Kind: protocols.KindBinaryOutput, Access: protocols.AccessOperate, First: 9, Count: 2}}},
		{"events of single points", 129, "02 01 17 03 01 81 02 81 09 81", []protocols.Range{
			{Kind: protocols.KindBinaryInput, Access: protocols.AccessReport, First: 1, Count: 2}, {Kind: protocols.KindBinaryInput, Access: protocols.AccessReport, First: 9, Count: 1}}},
		{"all virtual addresses", 1, "01 01 05 00 00 00 00 FF FF FF FF", []protocols.Range{{Kind: protocols.KindBinaryInput, Access: protocols.AccessRead, Count: math.MaxUint32}}},
	} {
		ev := decodeBody(t, c.function, unhex(t, c.octets))
		if diff := cmp.Diff(c.want, ev.Ranges); diff != "" {
			t.Errorf("%s: ranges (-want +got)\n%s", c.name, diff)
		}
		if len(ev.Violations) > 0 {
			t.Errorf("%s: violations %v", c.name, ev.kinds)
		}
	}
}

// TestObjectsAfterTheirSizeFollowAnyFunction decodes an object in a request
// whose headers otherwise only name points.
func TestObjectsAfterTheirSizeFollowAnyFunction(t *testing.T) {
	ev := decodeBody(t, FunctionStopAppl, unhexed("5A 01 5B 01 04 00 6D 61 69 6E"))
	if want := `"points":[{"index":0,"size":4,"application":"main"}]`; !strings.Contains(ev.json, want) || len(ev.Violations) > 0 {
		t.Errorf("%s, violations %v: want %s", ev.json, ev.kinds, want)
	}
}
