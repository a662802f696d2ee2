// Glass and metal on a chequered floor: reflection, refraction and soft shadows, so that rows differ in what they cost.
#version 3.7;
global_settings { assumed_gamma 1 max_trace_level 8 }
camera { location <0, 3, -9> look_at <0, 1, 0> angle 45 }
light_source { <-6, 9, -5> rgb 1 area_light <1.5, 0, 0>, <0, 0, 1.5>, 4, 4 }
background { rgb <0.4, 0.6, 0.9> }
plane { y, 0 pigment { checker rgb 0.9, rgb <0.1, 0.2, 0.3> } finish { reflection 0.1 } }
#declare Row = 0;
#while (Row < 4)
  #declare Place = 0;
  #while (Place < 6)
    sphere {
      <Place * 1.3 - 3.2, 0.5 + 0.3 * mod(Place + Row, 3), Row * 1.3 - 1.5>, 0.55
      #if (mod(Place + Row, 2) = 0)
        pigment { rgbt <0.9, 0.95, 1, 0.85> } finish { specular 0.6 reflection 0.15 } interior { ior 1.4 }
      #else
        pigment { rgb <0.9 - 0.12 * Place, 0.3 + 0.1 * Row, 0.2 + 0.1 * Place> } finish { phong 0.8 reflection 0.3 }
      #end
    }
    #declare Place = Place + 1;
  #end
  #declare Row = Row + 1;
#end
